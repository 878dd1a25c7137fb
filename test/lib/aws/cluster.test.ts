import { Template } from 'aws-cdk-lib/assertions';
import { Cluster } from '../../../lib/aws/cluster.ts';
import { newStack, newVpc } from './synthesis.ts';

test.each([
  [true, 'enhanced'],
  [false, 'disabled'],
  [undefined, 'disabled'],
])('Container Insights %s is %s', (containerInsights, value) => {
  const stack = newStack();
  new Cluster(stack, 'Cluster', { vpc: newVpc(stack), containerInsights });
  Template.fromStack(stack).hasResourceProperties('AWS::ECS::Cluster', {
    ClusterSettings: [{ Name: 'containerInsights', Value: value }],
  });
});

import { Template } from 'aws-cdk-lib/assertions';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import { existingImage } from '../../../lib/aws/app-image.ts';
import { imageUri, newStack, resourcesOf } from './synthesis.ts';

function taskWith(uri: string) {
  const stack = newStack();
  const task = new ecs.FargateTaskDefinition(stack, 'Task');
  task.addContainer('app', { image: existingImage(stack, uri) });
  const template = Template.fromStack(stack);
  const [definition] = resourcesOf(template, 'AWS::ECS::TaskDefinition');
  return { image: JSON.stringify(definition.ContainerDefinitions[0].Image), template };
}

test('an image of a public registry is taken as it is written', () => {
  const { image, template } = taskWith('public.ecr.aws/team/app:1.0');
  expect(image).toBe('"public.ecr.aws/team/app:1.0"');
  template.resourceCountIs('AWS::IAM::Policy', 0);
});

test('an image of a private repository may be pulled, from that repository alone', () => {
  const { image, template } = taskWith(imageUri);
  expect(image).toContain('/realtime:1.2.3');
  const [policy] = resourcesOf(template, 'AWS::IAM::Policy');
  const pull = policy.PolicyDocument.Statement.find(({ Action }: { Action: string[] }) =>
    Action.includes('ecr:BatchGetImage'),
  );
  expect(JSON.stringify(pull.Resource)).toContain('ecr:us-east-1:123456789012:repository/realtime');
});

test('a digest is kept as a digest', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  expect(taskWith(`123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app@${digest}`).image).toContain(
    `/team/app@${digest}`,
  );
});

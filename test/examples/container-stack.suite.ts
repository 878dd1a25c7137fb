import { join } from 'node:path';
import { Template } from 'aws-cdk-lib/assertions';
import { backendAcl, pubSubAcl } from '../../lib/aws/redis/backend-acl.ts';
import { newApp, resourcesOf, variablesOf } from '../lib/aws/synthesis.ts';
import { ContainerStack } from './container-stack.ts';

const examples = {
  signalr: { port: 8080, readyPath: '/healthz', acl: pubSubAcl('hub:') },
  'python-backend': {
    port: 8000,
    readyPath: '/health/ready',
    acl: backendAcl({ channels: ['socketio'], keyPrefix: 'backend:' }),
  },
};

test.each(Object.entries(examples))('%s deploys on the same constructs', (name, example) => {
  const stack = new ContainerStack(newApp(), 'Example', {
    ...example,
    env: { region: 'us-east-1' },
    source: join(import.meta.dirname, name),
  });
  const template = Template.fromStack(stack);

  const [
    {
      ContainerDefinitions: [container],
    },
  ] = resourcesOf(template, 'AWS::ECS::TaskDefinition');
  expect(container.PortMappings[0].ContainerPort).toBe(example.port);
  expect(container.Secrets.map(({ Name }: { Name: string }) => Name)).toEqual([
    'AUTH_SECRET',
    'REDIS_URL',
    'ConnectionStrings__Redis',
  ]);
  expect(variablesOf(container).CORS_ORIGINS).toMatch(/^https:\/\/EdgeDistribution/);
  expect(resourcesOf(template, 'AWS::ElasticLoadBalancingV2::TargetGroup')).toEqual([
    expect.objectContaining({ Port: example.port, HealthCheckPath: example.readyPath }),
  ]);
  const hub = resourcesOf(template, 'AWS::ElastiCache::User').find(({ UserName }) => UserName === 'hub');
  expect(hub.AccessString).toContain(`&${example.acl.channels[0]} `);
});

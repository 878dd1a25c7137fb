import { join } from 'node:path';
import { Validations } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import { newApp, resourcesOf } from '../lib/aws/synthesis.ts';
import { ContainerStack } from './container-stack.ts';

const examples = {
  signalr: { port: 8080, readyPath: '/healthz' },
  'python-socketio': { port: 8000, readyPath: '/' },
};

test.each(Object.entries(examples))(
  '%s deploys on the same constructs, and cdk-nag has nothing to say',
  (name, example) => {
    const app = newApp();
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    const stack = new ContainerStack(app, 'Example', {
      ...example,
      env: { region: 'us-east-1' },
      source: join(import.meta.dirname, name),
    });
    const template = Template.fromStack(stack);
    expect(() => app.synth()).not.toThrow();

    const [
      {
        ContainerDefinitions: [container],
      },
    ] = resourcesOf(template, 'AWS::ECS::TaskDefinition');
    expect(container.PortMappings[0].ContainerPort).toBe(example.port);
    expect(container.Secrets.map(({ Name }: { Name: string }) => Name)).toEqual([
      'REDIS_URL',
      'ConnectionStrings__Redis',
    ]);
    expect(resourcesOf(template, 'AWS::ElasticLoadBalancingV2::TargetGroup')).toEqual([
      expect.objectContaining({ Port: example.port, HealthCheckPath: example.readyPath }),
    ]);
    const hub = resourcesOf(template, 'AWS::ElastiCache::User').find(({ UserName }) => UserName === 'hub');
    expect(hub.AccessString).toContain('&hub:* ');
  },
);

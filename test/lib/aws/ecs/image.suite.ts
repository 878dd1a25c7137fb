import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Template } from 'aws-cdk-lib/assertions';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import { containerImage, findRepository } from '../../../../lib/aws/ecs/image.ts';
import { imageUri, newStack, resourcesOf } from '../synthesis.ts';

function taskWith(uri: string) {
  const stack = newStack();
  const task = new ecs.FargateTaskDefinition(stack, 'Task');
  task.addContainer('app', { image: containerImage(stack, 'app', 'arm64', uri) });
  const template = Template.fromStack(stack);
  const [definition] = resourcesOf(template, 'AWS::ECS::TaskDefinition');
  return { image: JSON.stringify(definition.ContainerDefinitions[0].Image), template };
}

describe('an image that exists', () => {
  test('in a public registry is used as it is written', () => {
    const { image, template } = taskWith('public.ecr.aws/team/app:1.0');
    expect(image).toBe('"public.ecr.aws/team/app:1.0"');
    template.resourceCountIs('AWS::IAM::Policy', 0);
  });

  test('in a private repository brings the permission to pull from that repository only', () => {
    const { image, template } = taskWith(imageUri);
    expect(image).toContain('/realtime:1.2.3');
    const [policy] = resourcesOf(template, 'AWS::IAM::Policy');
    const pull = policy.PolicyDocument.Statement.find(({ Action }: { Action: string[] }) =>
      Action.includes('ecr:BatchGetImage'),
    );
    expect(JSON.stringify(pull.Resource)).toContain('ecr:us-east-1:123456789012:repository/realtime');
  });

  test('with a digest keeps the digest', () => {
    const digest = `sha256:${'a'.repeat(64)}`;
    const { image } = taskWith(`123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app@${digest}`);
    expect(image).toContain(`/team/app@${digest}`);
  });
});

describe('an image that is built', () => {
  const repository = resolve('.');

  test('has its Dockerfile above the sources, and above a build of them', () => {
    expect(findRepository('app', 'Dockerfile')).toBe(repository);
    expect(findRepository('app', 'Dockerfile', join(repository, 'dist', 'lib', 'aws'))).toBe(repository);
  });

  test('outside the repository, the error names the missing file', () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'elsewhere-'));
    // A folder with the right name is not enough.
    mkdirSync(join(elsewhere, 'app'));
    try {
      expect(() => findRepository('app', 'Dockerfile', elsewhere)).toThrow(
        '`app/Dockerfile` must exist in a folder above the stack',
      );
    } finally {
      rmSync(elsewhere, { recursive: true });
    }
  });

  test('contains every file that the service shares with the stack', () => {
    const sent = readFileSync('app/.dockerignore', 'utf8').split('\n');
    const shared = readdirSync('app').filter((file) => file.endsWith('.ts'));
    expect(shared).toContain('names.ts');
    expect(shared.filter((file) => !sent.includes(`!${file}`))).toEqual([]);
  });
});

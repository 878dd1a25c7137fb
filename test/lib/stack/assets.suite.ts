import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { type App, CfnResource, Stack } from 'aws-cdk-lib';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import { type ContainerName, containerImage } from '../../../lib/aws/ecs/image.ts';
import { type Json, newApp } from '../aws/synthesis.ts';
import { synthesize, variants } from './templates.ts';

const containers: readonly ContainerName[] = ['app', 'liveKitServer', 'sidecar', 'agent'];

/** The Docker assets of a stack: the folder that Docker gets, and the Dockerfile in it. */
function dockerAssets(stack: Stack): { folder: string; dockerfile: string }[] {
  const { outdir } = stack.node.root as App;
  const manifest = JSON.parse(readFileSync(join(outdir, `${stack.artifactId}.assets.json`), 'utf8'));
  return Object.values(manifest.dockerImages ?? {}).map(({ source }: Json) => ({
    folder: resolve(outdir, source.directory),
    dockerfile: source.dockerFile ?? 'Dockerfile',
  }));
}

/** Stages the images as `cdk deploy` does, through their `.dockerignore`. The other tests leave that out. */
function stageImages(): Map<ContainerName, { folder: string; dockerfile: string }> {
  const app = newApp();
  app.node.setContext('aws:cdk:disable-asset-staging', false);
  const stacks = containers.map((name) => {
    const stack = new Stack(app, name);
    const task = new ecs.FargateTaskDefinition(stack, 'Task');
    task.addContainer('container', { image: containerImage(stack, name, 'arm64') });
    new CfnResource(stack, 'Anything', { type: 'AWS::SNS::Topic' });
    return [name, stack] as const;
  });
  app.synth();
  return new Map(stacks.map(([name, stack]) => [name, dockerAssets(stack)[0] as Json]));
}

const staged = stageImages();

/** The files that a Dockerfile copies from the folder that Docker gets. */
const copied = (dockerfile: string): string[] =>
  [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, sources = '']) => sources.split(' '));

function exists(folder: string, path: string): boolean {
  const [directory, name] = [join(folder, dirname(path)), basename(path)];
  if (!name.includes('*')) return existsSync(join(folder, path));
  const pattern = new RegExp(`^${name.replaceAll('.', '\\.').replaceAll('*', '.+')}$`);
  return readdirSync(directory).some((file) => pattern.test(file));
}

test.each([...staged])(
  'what Docker gets for %s has its Dockerfile, and all that the Dockerfile copies',
  (_, asset) => {
    const { folder, dockerfile } = asset;
    expect(readdirSync(join(folder, dirname(dockerfile)))).toContain(basename(dockerfile));
    const files = copied(readFileSync(join(folder, dockerfile), 'utf8'));
    expect(files.filter((path) => !exists(folder, path))).toEqual([]);
  },
);

test.each([...staged])(
  'no step of %s runs on the target’s processor, which a builder may have to emulate',
  (_, asset) => {
    const stages = readFileSync(join(asset.folder, asset.dockerfile), 'utf8')
      .split(/^FROM /m)
      .slice(1);
    expect(stages.length).toBeGreaterThan(0);
    const onTarget = stages.filter((stage) => !stage.startsWith('--platform=$BUILDPLATFORM '));
    expect(onTarget.filter((stage) => /^RUN /m.test(stage))).toEqual([]);
  },
);

test.each(Object.entries(variants))('%s: every Docker asset is one of these', (_, knobs) => {
  const { stack } = synthesize(knobs);
  const known = containers.map((name) => staged.get(name)?.dockerfile);
  const assets = dockerAssets(stack);
  expect(assets.length).toBe('liveKitNodes' in knobs && !('agentImageUri' in knobs) ? 3 : 0);
  for (const { folder, dockerfile } of assets) {
    expect(known).toContain(dockerfile);
    // The folder of the sources, for the variants don't stage.
    expect(existsSync(join(folder, dockerfile))).toBe(true);
  }
});

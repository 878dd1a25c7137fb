import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { RealtimeConfig } from '../../../config/groups.ts';
import { passed } from '../../finding.ts';
import type { Check } from '../check.ts';
import { type Finding, failed } from '../finding.ts';

const run = promisify(execFile);

/** Knobs of the images that the deployment would build. */
function builtImages({ service, liveKit, agent }: RealtimeConfig): string[] {
  const images: [string, boolean][] = [
    ['imageUri', service.imageUri === undefined],
    ['liveKitImageUri', liveKit !== undefined && liveKit.imageUri === undefined],
    ['sidecarImageUri', liveKit !== undefined && liveKit.sidecarImageUri === undefined],
    ['agentImageUri', agent !== undefined && agent.imageUri === undefined],
  ];
  return images.filter(([, isBuilt]) => isBuilt).map(([knob]) => knob);
}

const goNames: Readonly<Record<string, string>> = { x86_64: 'amd64', aarch64: 'arm64' };

/** A command's output; undefined if it does not start or ends with an error. */
async function outputOf(command: string, words: readonly string[], environment: NodeJS.ProcessEnv) {
  const started = run(command, [...words], { env: environment, timeout: 20_000 });
  return started.then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );
}

/** The operating system and processor for which the engine builds, such as `linux/amd64`. */
async function platformOf(docker: string, environment: NodeJS.ProcessEnv): Promise<string | undefined> {
  // podman, which CDK_DOCKER may name, has a template of its own.
  for (const words of [
    ['version', '--format', '{{.Server.Os}}/{{.Server.Arch}}'],
    ['info', '--format', '{{.Host.OS}}/{{.Host.Arch}}'],
  ]) {
    const platform = await outputOf(docker, words, environment);
    if (platform && /^\w+\/\w+$/.test(platform)) return platform;
  }
  return undefined;
}

async function architecturesOf({ service, liveKit, agent }: RealtimeConfig): Promise<string[]> {
  const { InstanceArchitecture, InstanceType } = await import('aws-cdk-lib/aws-ec2');
  const hosts = liveKit?.capacity;
  const ofHosts = () =>
    hosts?.kind === 'ec2' && new InstanceType(hosts.instanceType).architecture === InstanceArchitecture.ARM_64
      ? 'arm64'
      : 'x86_64';
  const all = [
    ...(service.imageUri === undefined ? [service.cpuArchitecture] : []),
    ...(liveKit && (liveKit.imageUri === undefined || liveKit.sidecarImageUri === undefined)
      ? [hosts?.kind === 'fargate' ? hosts.cpuArchitecture : ofHosts()]
      : []),
    ...(agent && agent.imageUri === undefined ? [agent.cpuArchitecture] : []),
  ];
  return [...new Set(all)].map((name) => goNames[name] ?? name);
}

export const builder: Check = {
  name: 'builder',
  permissions: {},
  async run({ config, environment }) {
    const images = builtImages(config);
    if (images.length === 0) return passed('nothing is built here: every image is named');
    const docker = environment.CDK_DOCKER ?? 'docker';
    const platform = await platformOf(docker, environment);
    const otherwise = `or name images that a pipeline has built: ${images.join(', ')}`;
    if (!platform)
      return failed({
        found: `\`${docker} version\` names no running engine`,
        needed: `Docker, or podman named in CDK_DOCKER, to build the images of ${images.join(', ')}`,
        fix: `start Docker (https://docs.docker.com/get-docker), ${otherwise}`,
      });
    return judgePlatform(docker, platform, await architecturesOf(config), environment, otherwise);
  },
};

async function judgePlatform(
  docker: string,
  platform: string,
  wanted: readonly string[],
  environment: NodeJS.ProcessEnv,
  otherwise: string,
): Promise<Finding> {
  const [system, architecture = ''] = platform.split('/');
  const tasks = wanted.join(' and ');
  if (system !== 'linux')
    return failed({
      found: `${docker} builds for ${platform}`,
      needed: 'images of Linux',
      fix: `switch Docker Desktop to Linux containers, ${otherwise}`,
    });
  if (wanted.every((name) => name === architecture))
    return passed(`${docker} builds for ${platform}, as the tasks are (${tasks})`);
  // The Dockerfiles run nothing on the target's processor, but only BuildKit tells it from the builder's.
  if (environment.DOCKER_BUILDKIT === '0')
    return failed({
      found: `DOCKER_BUILDKIT=0, while ${docker} runs on ${platform}, the tasks on ${tasks}`,
      needed: 'BuildKit, to build for another processor',
      fix: `unset DOCKER_BUILDKIT, ${otherwise}`,
    });
  const hasBuildKit = /podman/.test(docker) || (await outputOf(docker, ['buildx', 'version'], environment));
  if (!hasBuildKit)
    return failed({
      found: `${docker} runs on ${platform}, the tasks on ${tasks}, and \`${docker} buildx version\` fails`,
      needed: 'BuildKit, to build for another processor',
      fix: `install buildx (https://docs.docker.com/build/install-buildx), take \`-c cpuArchitecture=${architecture === 'amd64' ? 'x86_64' : 'arm64'}\`, ${otherwise}`,
    });
  return passed(`${docker} on ${platform} builds for ${tasks} by BuildKit, without emulation`);
}

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Stack } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import { Platform } from 'aws-cdk-lib/aws-ecr-assets';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import type { Construct } from 'constructs';

export type CpuArchitecture = 'arm64' | 'x86_64';

const platforms: Record<CpuArchitecture, Platform> = {
  arm64: Platform.LINUX_ARM64,
  x86_64: Platform.LINUX_AMD64,
};

/** The images that this repository builds: the folder that is sent to Docker, and the Dockerfile in it. */
const sources = {
  app: { folder: 'app', dockerfile: 'Dockerfile' },
  liveKitServer: { folder: 'livekit/server', dockerfile: 'Dockerfile' },
  // The sidecar shares livekit/config with the stack.
  sidecar: { folder: 'livekit', dockerfile: 'sidecar/Dockerfile' },
  agent: { folder: 'livekit/agent', dockerfile: 'Dockerfile' },
} as const;

export type ContainerName = keyof typeof sources;

/**
 * The image of one of this repository's containers.
 *
 * @param uri of an image that exists; without it, the image is built from the container's Dockerfile
 */
export function containerImage(
  scope: Construct,
  name: ContainerName,
  architecture: CpuArchitecture,
  uri?: string,
): ecs.ContainerImage {
  return uri ? existingImage(scope, name, uri) : builtImage(name, architecture);
}

/** The image is built for the processor that will run it. */
function builtImage(name: ContainerName, architecture: CpuArchitecture): ecs.ContainerImage {
  const { folder, dockerfile } = sources[name];
  return ecs.ContainerImage.fromAsset(join(findRepository(folder, dockerfile), folder), {
    platform: platforms[architecture],
    ...(dockerfile !== 'Dockerfile' && { file: dockerfile }),
  });
}

/**
 * The nearest folder at or above `from` that has the Dockerfile. It is found from the sources and from wherever a
 * build puts the compiled stack.
 */
export function findRepository(folder: string, dockerfile: string, from = import.meta.dirname): string {
  if (existsSync(join(from, folder, dockerfile))) return from;
  const parent = dirname(from);
  if (parent === from)
    throw new Error(
      `\`${folder}/${dockerfile}\` must exist in a folder above the stack, got: none; run from the repository, or name an image that exists`,
    );
  return findRepository(folder, dockerfile, parent);
}

const privateEcr = /^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?\/([^:@]+)[:@]?(.*)$/;

/** An image that exists already. For a private ECR repository, the task also gets the permission to pull it. */
function existingImage(scope: Construct, name: ContainerName, uri: string): ecs.ContainerImage {
  const [, account, region, repositoryName, tagOrDigest] = privateEcr.exec(uri) ?? [];
  if (!repositoryName) return ecs.ContainerImage.fromRegistry(uri);
  const repository = ecr.Repository.fromRepositoryAttributes(scope, `${name}Repository`, {
    repositoryArn: Stack.of(scope).formatArn({
      service: 'ecr',
      region,
      account,
      resource: 'repository',
      resourceName: repositoryName,
    }),
    repositoryName,
  });
  return ecs.ContainerImage.fromEcrRepository(repository, tagOrDigest || undefined);
}

/** What Fargate has to know about the processor. */
export function runtimePlatform(architecture: CpuArchitecture): ecs.RuntimePlatform {
  return {
    operatingSystemFamily: ecs.OperatingSystemFamily.LINUX,
    cpuArchitecture: architecture === 'arm64' ? ecs.CpuArchitecture.ARM64 : ecs.CpuArchitecture.X86_64,
  };
}

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

const privateEcr = /^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?\/([^:@]+)[:@]?(.*)$/;

/** What Fargate is told of the processor. */
export function runtimePlatform(architecture: CpuArchitecture): ecs.RuntimePlatform {
  return {
    operatingSystemFamily: ecs.OperatingSystemFamily.LINUX,
    cpuArchitecture: architecture === 'arm64' ? ecs.CpuArchitecture.ARM64 : ecs.CpuArchitecture.X86_64,
  };
}

/** The image built from a folder with a Dockerfile, for the processor that will run it. */
export function builtImage(directory: string, architecture: CpuArchitecture): ecs.ContainerImage {
  return ecs.ContainerImage.fromAsset(directory, { platform: platforms[architecture] });
}

/** The sidecar's image, built from the folder above it, whose configuration it shares. */
export function sidecarImage(liveKitDirectory: string, architecture: CpuArchitecture): ecs.ContainerImage {
  return ecs.ContainerImage.fromAsset(liveKitDirectory, {
    file: 'sidecar/Dockerfile',
    platform: platforms[architecture],
  });
}

/** An image that exists already. One in a private ECR repository brings the permission to pull it. */
export function existingImage(scope: Construct, uri: string): ecs.ContainerImage {
  const [, account, region, repositoryName, tagOrDigest] = privateEcr.exec(uri) ?? [];
  if (!repositoryName) return ecs.ContainerImage.fromRegistry(uri);
  const repository = ecr.Repository.fromRepositoryAttributes(scope, 'AppRepository', {
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

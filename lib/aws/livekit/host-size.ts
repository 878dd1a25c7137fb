import { InstanceArchitecture, InstanceType } from 'aws-cdk-lib/aws-ec2';
import type { CpuArchitecture } from '../cluster/image.ts';

export function architectureOf(instanceType: string): CpuArchitecture {
  return new InstanceType(instanceType).architecture === InstanceArchitecture.ARM_64 ? 'arm64' : 'x86_64';
}

/** Processors of an instance type, by its size. The small ones of the burstable families have two as well. */
export function vCpusOf(instanceType: string): number {
  const [family = '', size = ''] = instanceType.split('.');
  const [, times, isXlarge] = /^(\d*)(xlarge)?/.exec(size) ?? [];
  if (isXlarge) return 4 * Number(times || 1);
  return size === 'medium' && !/^t\d/.test(family) ? 1 : 2;
}

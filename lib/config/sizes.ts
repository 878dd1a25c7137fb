import { text } from './readers.ts';

/** Memory in MiB that Fargate sells with each CPU size, as [least, most, step]. */
const fargateMemory: Readonly<Record<number, readonly [number, number, number]>> = {
  256: [512, 2048, 512],
  512: [1024, 4096, 1024],
  1024: [2048, 8192, 1024],
  2048: [4096, 16384, 1024],
  4096: [8192, 30720, 1024],
  8192: [16384, 61440, 4096],
  16384: [32768, 122880, 8192],
};

export const fargateCpus = Object.keys(fargateMemory).join(', ');

/** @returns what is wrong with a size, with the names of its two knobs; undefined if Fargate sells it */
export function fargateFault(
  cpuKnob: string,
  cpu: number,
  memoryKnob: string,
  memoryMiB: number,
): string | undefined {
  const sold = fargateMemory[cpu];
  if (!sold) return `\`${cpuKnob}\` must be one of ${fargateCpus}, got: ${cpu}; take 256 or more`;
  const [least, most, step] = sold;
  if (memoryMiB >= least && memoryMiB <= most && (memoryMiB - least) % step === 0) return undefined;
  return `\`${memoryKnob}\` must be ${least} to ${most} in steps of ${step} with \`${cpuKnob}\` ${cpu}, got: ${memoryMiB}; take ${least}`;
}

/** ElastiCache's default quota of nodes in a cluster (ElastiCache User Guide, "Quotas for ElastiCache"). */
export const mostCacheNodes = 90;

const nodeTypes =
  /^cache\.((t3|t4g)\.(micro|small|medium)|(m5|r5)\.(large|(2|4|12|24)?xlarge)|(m6g|m7g|r6g|r7g|c7gn)\.(large|(2|4|8|12|16)?xlarge))$/;

/** A knob that names a node type. @param fix what to write instead */
export const cacheNodeType = (fix: string) => text(nodeTypes, 'be a node type of ElastiCache', fix);

/** Whether an address is ElastiCache's configuration endpoint of a cluster. Others don't say it by their names. */
export const isClusterEndpoint = (address: string): boolean => /^clustercfg\.|\.clustercfg\./.test(address);

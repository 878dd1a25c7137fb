import { text } from './readers.ts';

/** ElastiCache's default quota of nodes in a cluster (ElastiCache User Guide, "Quotas for ElastiCache"). */
export const mostCacheNodes = 90;

const nodeTypes =
  /^cache\.((t3|t4g)\.(micro|small|medium)|(m5|r5)\.(large|(2|4|12|24)?xlarge)|(m6g|m7g|r6g|r7g|c7gn)\.(large|(2|4|8|12|16)?xlarge))$/;

/** A knob that names a node type. @param fix what to write instead */
export const cacheNodeType = (fix: string) => text(nodeTypes, 'be a node type of ElastiCache', fix);

/** Whether an address is ElastiCache's configuration endpoint of a cluster. Others don't say it by their names. */
export const isClusterEndpoint = (address: string): boolean => /^clustercfg\.|\.clustercfg\./.test(address);

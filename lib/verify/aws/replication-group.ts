import type { ReplicationGroup } from '@aws-sdk/client-elasticache';
import { CheckFailure, CheckSkip } from '../check.ts';
import type { AwsClients } from './clients.ts';
import type { DeployedStack } from './deployed-stack.ts';
import { explainRefusal } from './explain-refusal.ts';

export const replicationGroupType = 'AWS::ElastiCache::ReplicationGroup';

/** @throws CheckSkip where the stack has no cache of its own, CheckFailure when it can't be read */
export async function readReplicationGroup(
  stack: DeployedStack,
  { elastiCache }: AwsClients,
): Promise<ReplicationGroup> {
  const resource = stack.find(replicationGroupType);
  if (!resource) throw new CheckSkip('the stack has no cache of its own');
  const { DescribeReplicationGroupsCommand } = await import('@aws-sdk/client-elasticache');
  const answer = await elastiCache
    .send(new DescribeReplicationGroupsCommand({ ReplicationGroupId: resource.physicalId }))
    .catch((error: unknown) => {
      throw explainRefusal(error, `the replication group ${resource.physicalId}`);
    });
  const [group] = answer.ReplicationGroups ?? [];
  if (group) return group;
  throw new CheckFailure({
    found: `no replication group ${resource.physicalId}`,
    cause: 'it was deleted outside of CloudFormation',
    fix: '`npx cdk deploy -c backplane=none`, then `npx cdk deploy`',
  });
}

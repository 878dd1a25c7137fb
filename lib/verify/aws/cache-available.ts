import { CheckFailure } from '../check.ts';
import { readReplicationGroup } from './replication-group.ts';
import type { StackCheck } from './stack-check.ts';

export const cacheAvailable: StackCheck = {
  name: 'cache-available',
  title: 'The replication group is available, and each of its nodes is in it',
  async run(stack, clients) {
    const group = await readReplicationGroup(stack, clients);
    const members = group.NodeGroups?.flatMap(({ NodeGroupMembers = [] }) => NodeGroupMembers) ?? [];
    const roles = members.map(({ CacheClusterId, CurrentRole }) => `${CacheClusterId} ${CurrentRole ?? '?'}`);
    const unavailable = group.NodeGroups?.filter(({ Status }) => Status !== 'available') ?? [];
    if (group.Status !== 'available' || unavailable.length > 0)
      throw new CheckFailure({
        found: `${group.ReplicationGroupId} is ${group.Status}; ${roles.join(', ')}`,
        cause: 'a failover, a change or a node that is replaced is under way',
        fix: '`aws elasticache describe-events --duration 60` says what; it ends by itself',
      });
    const primaries = members.filter(({ CurrentRole }) => CurrentRole === 'primary').length;
    if (primaries !== 1)
      throw new CheckFailure({
        found: `${primaries} primary nodes: ${roles.join(', ')}`,
        cause: 'a failover is under way, or cluster mode is on',
        fix: 'look again in a minute; the stack makes one shard with cluster mode off',
      });
    return { proved: `${members.length} of ${group.MemberClusters?.length ?? 0} nodes: ${roles.join(', ')}` };
  },
};

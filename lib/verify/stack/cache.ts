import type { ReplicationGroup } from '@aws-sdk/client-elasticache';
import { CheckFailure, NotProvedError } from '../check.ts';
import { type AwsClients, explainRejection } from './aws-clients.ts';
import type { DeployedStack, StackCheck } from './deployed-stack.ts';

const replicationGroupType = 'AWS::ElastiCache::ReplicationGroup';

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

export const cacheEndpoint: StackCheck = {
  name: 'cache-endpoint',
  title: 'The address that services read is the primary’s, over TLS and without a password',
  async run(stack, clients) {
    const group = await readReplicationGroup(stack, clients);
    const { Address, Port } = group.NodeGroups?.[0]?.PrimaryEndpoint ?? {};
    const parameter = stack.find('AWS::SSM::Parameter');
    if (!parameter) throw new NotProvedError('the stack has no parameter');
    const { GetParameterCommand } = await import('@aws-sdk/client-ssm');
    const answer = await clients.ssm
      .send(new GetParameterCommand({ Name: parameter.physicalId }))
      .catch((error: unknown) => {
        throw explainRejection(error, `the parameter ${parameter.physicalId}`);
      });
    const said = answer.Parameter?.Value ?? '';
    const expected = `rediss://${Address}:${Port}`;
    if (said === expected) return { proved: `${parameter.physicalId} is ${expected}` };
    const url = URL.canParse(said) ? new URL(said) : undefined;
    throw new CheckFailure({
      // A password that someone put there must not appear in a report.
      found: `${parameter.physicalId} says ${url ? `${url.protocol}//${url.host}` : `${said.length} characters`}${
        url?.password ? ' with a password' : ''
      }, the primary is ${expected}`,
      cause: 'the parameter was changed by hand, or the cache was replaced outside of CloudFormation',
      fix: `\`npx cdk deploy\`, or \`aws ssm put-parameter --overwrite --name ${parameter.physicalId} --value ${expected}\`; services read it at their next connect`,
    });
  },
};

/** The template's properties, and how the API reports them. */
const settings: readonly {
  readonly property: string;
  readonly of: (group: ReplicationGroup) => unknown;
  readonly as: (configured: unknown) => unknown;
}[] = [
  { property: 'MultiAZEnabled', of: ({ MultiAZ }) => MultiAZ, as: (on) => (on ? 'enabled' : 'disabled') },
  {
    property: 'AutomaticFailoverEnabled',
    of: ({ AutomaticFailover }) => AutomaticFailover,
    as: (on) => (on ? 'enabled' : 'disabled'),
  },
  {
    property: 'TransitEncryptionEnabled',
    of: ({ TransitEncryptionEnabled }) => TransitEncryptionEnabled,
    as: (on) => on,
  },
  {
    property: 'TransitEncryptionMode',
    of: ({ TransitEncryptionMode }) => TransitEncryptionMode,
    as: (mode) => mode,
  },
  {
    property: 'AtRestEncryptionEnabled',
    of: ({ AtRestEncryptionEnabled }) => AtRestEncryptionEnabled,
    as: (on) => on,
  },
  { property: 'ClusterMode', of: ({ ClusterMode }) => ClusterMode, as: (mode) => mode },
  { property: 'CacheNodeType', of: ({ CacheNodeType }) => CacheNodeType, as: (type) => type },
];

export const cacheSettings: StackCheck = {
  name: 'cache-settings',
  title: 'Multi-AZ, failover, encryption and size are as the template has them',
  async run(stack, clients) {
    const group = await readReplicationGroup(stack, clients);
    const configured = stack.configured(replicationGroupType) ?? {};
    const compared = settings.map(({ property, of, as }) => ({
      property,
      is: of(group),
      expected: as(configured[property]),
    }));
    const wrong = compared.filter(({ is, expected }) => is !== expected);
    if (wrong.length === 0)
      return { proved: compared.map(({ property, is }) => `${property} ${is}`).join(', ') };
    throw new CheckFailure({
      found: wrong
        .map(({ property, is, expected }) => `${property} is ${is}, the template says ${expected}`)
        .join('; '),
      cause: 'it was changed outside of CloudFormation, or a change is under way',
      fix: '`aws cloudformation detect-stack-drift` shows all of it; change it back there, as a deployment of the same template changes nothing',
    });
  },
};

export const cacheUsers: StackCheck = {
  name: 'cache-users',
  title: 'The users are active in the cache, and `default` is off',
  async run(stack, clients) {
    const group = await readReplicationGroup(stack, clients);
    const resource = stack.find('AWS::ElastiCache::UserGroup');
    if (!resource) throw new NotProvedError('the stack has no user group');
    const { DescribeUserGroupsCommand, DescribeUsersCommand } = await import('@aws-sdk/client-elasticache');
    const rejected = (error: unknown) => {
      throw explainRejection(error, `the user group ${resource.physicalId}`);
    };
    const { UserGroups: [userGroup] = [] } = await clients.elastiCache
      .send(new DescribeUserGroupsCommand({ UserGroupId: resource.physicalId }))
      .catch(rejected);
    const { Users = [] } = await clients.elastiCache
      .send(new DescribeUsersCommand({ Filters: [{ Name: 'user-group-id', Values: [resource.physicalId] }] }))
      .catch(rejected);

    const faults = [
      ...(userGroup?.Status === 'active' ? [] : [`the group is ${userGroup?.Status ?? 'gone'}`]),
      ...(group.UserGroupIds?.includes(resource.physicalId) ? [] : ['the cache does not take the group']),
      ...Users.filter(({ Status }) => Status !== 'active').map(
        ({ UserName, Status }) => `${UserName} is ${Status}`,
      ),
      ...Users.filter(
        ({ UserName, AccessString = '' }) => UserName === 'default' && !/^off /.test(AccessString),
      ).map(({ AccessString }) => `default is not off: ${AccessString}`),
    ];
    const names = Users.map(
      ({ UserName, Authentication }) => `${UserName} (${Authentication?.PasswordCount ?? 0})`,
    );
    if (faults.length === 0) return { proved: `users with their passwords: ${names.join(', ')}` };
    throw new CheckFailure({
      found: faults.join('; '),
      cause: 'a change of users is under way, or was made outside of CloudFormation',
      fix: `look again in a minute; \`aws elasticache describe-users --filters Name=user-group-id,Values=${resource.physicalId}\` shows them`,
    });
  },
};

/** @throws NotProvedError if the stack has no cache of its own, CheckFailure if it can't be read */
async function readReplicationGroup(
  stack: DeployedStack,
  { elastiCache }: AwsClients,
): Promise<ReplicationGroup> {
  const resource = stack.find(replicationGroupType);
  if (!resource) throw new NotProvedError('the stack has no cache of its own');
  const { DescribeReplicationGroupsCommand } = await import('@aws-sdk/client-elasticache');
  const answer = await elastiCache
    .send(new DescribeReplicationGroupsCommand({ ReplicationGroupId: resource.physicalId }))
    .catch((error: unknown) => {
      throw explainRejection(error, `the replication group ${resource.physicalId}`);
    });
  const [group] = answer.ReplicationGroups ?? [];
  if (group) return group;
  throw new CheckFailure({
    found: `no replication group ${resource.physicalId}`,
    cause: 'it was deleted outside of CloudFormation',
    fix: '`npx cdk deploy -c backplane=none`, then `npx cdk deploy`',
  });
}

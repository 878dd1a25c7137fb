import type { ReplicationGroup } from '@aws-sdk/client-elasticache';
import { CheckFailure, NotProvedError } from '../check.ts';
import { type AwsClients, explainRejection } from './aws-clients.ts';
import type { DeployedStack, StackCheck } from './deployed-stack.ts';

const replicationGroupType = 'AWS::ElastiCache::ReplicationGroup';

export const cacheAvailable: StackCheck = {
  name: 'cache-available',
  title: 'Each cache is available, and each of its shards has one primary',
  async run(stack, clients) {
    const caches = await readCaches(stack, clients);
    for (const cache of caches) assertAvailable(cache);
    return {
      proved: caches
        .map(
          ({ group }) =>
            `${members(group).length} of ${group.MemberClusters?.length ?? 0} nodes: ${roles(group)}`,
        )
        .join('; '),
    };
  },
};

const members = ({ NodeGroups = [] }: Pick<ReplicationGroup, 'NodeGroups'>) =>
  NodeGroups.flatMap(({ NodeGroupMembers = [] }) => NodeGroupMembers);

/** In cluster mode ElastiCache does not say who is the primary: the nodes decide that among themselves. */
const roles = (group: Pick<ReplicationGroup, 'NodeGroups'>) =>
  members(group)
    .map(({ CacheClusterId, CurrentRole }) =>
      CurrentRole ? `${CacheClusterId} ${CurrentRole}` : CacheClusterId,
    )
    .join(', ');

/** @throws CheckFailure */
function assertAvailable({ group, properties }: DeployedCache): void {
  const unavailable = group.NodeGroups?.filter(({ Status }) => Status !== 'available') ?? [];
  if (group.Status !== 'available' || unavailable.length > 0) {
    const shards = unavailable
      .map(({ NodeGroupId, Status }) => `shard ${NodeGroupId} is ${Status}; `)
      .join('');
    throw new CheckFailure({
      found: `${group.ReplicationGroupId} is ${group.Status}; ${group.ClusterEnabled ? shards : ''}${roles(group)}`,
      cause: 'a failover, a change or a node that is replaced is under way',
      fix: '`aws elasticache describe-events --duration 60` says what; it ends by itself',
    });
  }
  if (group.ClusterEnabled) assertShards(group, properties);
  else assertOnePrimary(group);
}

function assertOnePrimary(group: ReplicationGroup): void {
  const primaries = members(group).filter(({ CurrentRole }) => CurrentRole === 'primary').length;
  if (primaries === 1) return;
  throw new CheckFailure({
    found: `${primaries} primary nodes: ${roles(group)}`,
    cause: 'a failover is under way',
    fix: 'look again in a minute',
  });
}

/** Alarms and the dashboard name shards as ElastiCache numbers them when it creates them: a shard of another name is unwatched. */
function assertShards({ NodeGroups = [] }: ReplicationGroup, properties: Properties): void {
  const named = NodeGroups.map(({ NodeGroupId = '' }) => NodeGroupId).sort();
  const watched = Array.from({ length: Number(properties.NumNodeGroups) }, (_, index) =>
    String(index + 1).padStart(4, '0'),
  );
  if (named.join() !== watched.join())
    throw new CheckFailure({
      found: `shards ${named.join(', ')}; the template has ${watched.length}, and its alarms watch ${watched.join(', ')}`,
      cause:
        'shards were added or removed outside of CloudFormation, a change of their number failed, or others were removed than those with the highest numbers',
      fix: 'RUNBOOK.md, "Add shards, or remove some": deploy the number that there is; shards of other names have no alarms until they are replaced by the next change',
    });
  const replicas = Number(properties.ReplicasPerNodeGroup);
  const alone = NodeGroups.filter((shard) => members({ NodeGroups: [shard] }).length < 1 + replicas);
  if (alone.length === 0) return;
  throw new CheckFailure({
    found: alone
      .map((shard) => `shard ${shard.NodeGroupId} has ${roles({ NodeGroups: [shard] }) || 'no node'}`)
      .join('; '),
    cause: `a node is replaced, or was removed outside of CloudFormation: each shard should have ${replicas} replicas`,
    fix: '`aws elasticache describe-events --duration 60` says what; without its replicas a shard loses its rooms with its primary',
  });
}

export const cacheEndpoint: StackCheck = {
  name: 'cache-endpoint',
  title: 'The address that services read is the cache’s, over TLS and without a password',
  async run(stack, clients) {
    const caches = await readCaches(stack, clients);
    const proved: string[] = [];
    for (const { group } of caches) proved.push(await compareAddress(group, stack, clients));
    return { proved: proved.join('; ') };
  },
};

/** @returns what was found. @throws CheckFailure, NotProvedError */
async function compareAddress(
  group: ReplicationGroup,
  stack: DeployedStack,
  clients: AwsClients,
): Promise<string> {
  const { Address, Port } = (group.ConfigurationEndpoint ?? group.NodeGroups?.[0]?.PrimaryEndpoint) || {};
  const what = group.ClusterEnabled ? 'the cluster' : 'the primary';
  const parameter = stack.resources.find(
    ({ type, physicalId }) =>
      type === 'AWS::SSM::Parameter' &&
      (group.ClusterEnabled ? /\/redis-shards-of-\d-url$/ : /\/redis-url$/).test(physicalId),
  );
  if (!parameter) throw new NotProvedError(`the stack has no parameter of ${group.ReplicationGroupId}`);
  const { GetParameterCommand } = await import('@aws-sdk/client-ssm');
  const response = await clients.ssm
    .send(new GetParameterCommand({ Name: parameter.physicalId }))
    .catch((error: unknown) => {
      throw explainRejection(error, `the parameter ${parameter.physicalId}`);
    });
  const said = response.Parameter?.Value ?? '';
  const expected = `rediss://${Address}:${Port}`;
  if (said === expected) return `${parameter.physicalId} is ${expected}`;
  const url = URL.canParse(said) ? new URL(said) : undefined;
  throw new CheckFailure({
    // A password that someone put there must not appear in a report.
    found: `${parameter.physicalId} says ${url ? `${url.protocol}//${url.host}` : `${said.length} characters`}${
      url?.password ? ' with a password' : ''
    }, ${what} is ${expected}`,
    cause: 'the parameter was changed by hand, or the cache was replaced outside of CloudFormation',
    fix: `\`npx cdk deploy\`, or \`aws ssm put-parameter --overwrite --name ${parameter.physicalId} --value ${expected}\`; services read it at their next connect`,
  });
}

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
    const caches = await readCaches(stack, clients);
    const compared = caches.flatMap(({ group, properties }) =>
      settings.map(({ property, of, as }) => ({
        property: caches.length > 1 ? `${group.ReplicationGroupId} ${property}` : property,
        is: of(group),
        expected: as(properties[property]),
      })),
    );
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
    const caches = await readCaches(stack, clients);
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
      ...caches
        .filter(({ group }) => !group.UserGroupIds?.includes(resource.physicalId))
        .map(({ group }) => `the cache ${group.ReplicationGroupId} does not take the group`),
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

type Properties = Readonly<Record<string, unknown>>;

/** A cache of the stack as it is, and as its template has it. */
interface DeployedCache {
  readonly group: ReplicationGroup;
  readonly properties: Properties;
}

/**
 * The stack's caches: one, or a cluster and LiveKit's own beside it.
 *
 * @throws NotProvedError if the stack has none, CheckFailure if one can't be read
 */
async function readCaches(stack: DeployedStack, clients: AwsClients): Promise<DeployedCache[]> {
  const caches = stack.resources.filter(({ type }) => type === replicationGroupType);
  if (caches.length === 0) throw new NotProvedError('the stack has no cache of its own');
  return Promise.all(
    caches.map(async (resource) => ({
      group: await readReplicationGroup(resource.physicalId, clients),
      properties: stack.properties(resource) ?? {},
    })),
  );
}

/** @throws CheckFailure if it can't be read */
async function readReplicationGroup(id: string, { elastiCache }: AwsClients): Promise<ReplicationGroup> {
  const { DescribeReplicationGroupsCommand } = await import('@aws-sdk/client-elasticache');
  const response = await elastiCache
    .send(new DescribeReplicationGroupsCommand({ ReplicationGroupId: id }))
    .catch((error: unknown) => {
      throw explainRejection(error, `the replication group ${id}`);
    });
  const [group] = response.ReplicationGroups ?? [];
  if (group) return group;
  throw new CheckFailure({
    found: `no replication group ${id}`,
    cause: 'it was deleted outside of CloudFormation',
    fix: '`npx cdk deploy -c backplane=none`, then `npx cdk deploy`',
  });
}

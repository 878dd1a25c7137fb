import type { ReplicationGroup } from '@aws-sdk/client-elasticache';
import { CheckFailure } from '../check.ts';
import { readReplicationGroup, replicationGroupType } from './replication-group.ts';
import type { StackCheck } from './stack-check.ts';

/** What the template asks for, beside how the API tells it. */
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

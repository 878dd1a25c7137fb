import { readFileSync } from 'node:fs';
import { fullDiff, ResourceImpact } from '@aws-cdk/cloudformation-diff';
import type { KnobInput } from '../../../lib/config/config.ts';
import { describeInFull, isFull } from '../../support/full-runs.ts';
import { type Json, withoutHash } from '../aws/synthesis.ts';
import { namesIn, refersToResource } from './names.ts';
import { protectedIn } from './protection.ts';
import { resourcesById, templateOf, variants } from './templates.ts';

interface Transition {
  readonly before: KnobInput;
  readonly after: KnobInput;
  /** What CloudFormation replaces, beside task definitions, of which each change is a new version. @default - nothing */
  readonly replaces?: readonly string[];
  /** Article of RUNBOOK.md that says what the change takes. @default - a deployment like any other */
  readonly article?: string;
}

const { prod, dev, 'own domain': calls, 'own certificate': ownCertificate } = variants;
const existingRedis = { backplane: 'existing', redisAddress: 'redis.internal' };
const { domainName, hostedZoneId, hostedZoneName } = calls;
const domain = { ...prod, domainName, hostedZoneId, hostedZoneName };
const bypassed = { ...calls, backplane: 'bypassed' };
const withoutCalls = { ...calls, liveKitNodes: 0 };
const withoutTurn = { ...calls, turn: false };
const stopped = { ...calls, minTasks: 0, agentTasks: 0 };
const onFargate = { ...calls, liveKitCapacity: 'fargate' };
const targetsOfNodes = [
  'EdgeBalancerPublicLiveKitTargets',
  'EdgeInternalPrivateLiveKitTargets',
  'LiveKitService',
  'TurnTargets',
];
const protection = 'Change what is protected';
const replicas = 'Add replicas, or remove them all';
const shards = 'Several shards instead of one node, or back';
const resharding = 'Add shards, or remove some';
const inShards = { ...prod, cacheShards: 3 };
const callsInShards = { ...calls, cacheShards: 3 };
/** LiveKit's cache is the single node that the service leaves. It stays as big until what the service left has expired. */
const callsBesideShards = { ...callsInShards, liveKitCacheNodeType: 'cache.m7g.large' };

/** Every change of knobs of a deployed stack that the documents mention. */
const transitions = {
  'CloudFront to a domain': { before: prod, after: domain, replaces: ['EdgeWebAcl'], article: protection },
  'a domain to CloudFront': { before: domain, after: prod, replaces: ['EdgeWebAcl'], article: protection },
  'the cache to an existing Redis': { before: dev, after: existingRedis },
  'an existing Redis to the cache': { before: existingRedis, after: dev },
  'the cache, bypassed': { before: calls, after: bypassed },
  'the cache, used again': { before: bypassed, after: calls },
  'the cache to none': { before: dev, after: variants['no backplane'] },
  'none to the cache': { before: variants['no backplane'], after: dev },
  'a key of the customer’s own': {
    before: calls,
    after: { ...calls, kmsKeyArn: 'arn:aws:kms:us-east-1:123456789012:key/0123' },
    replaces: ['RedisCache'],
    article: 'Encrypt with a key of your own',
  },
  'a bigger cache': { before: dev, after: { cacheNodeType: 'cache.m7g.large' } },
  'a newer Valkey': {
    before: { cacheEngineVersion: '7.2' },
    after: dev,
    // A parameter group is of one major version; the new one exists before the cache takes it.
    replaces: ['RedisParameters'],
    article: 'Upgrade',
  },
  'the first replica, added': {
    before: dev,
    after: { cacheReplicas: 1, cacheFailover: false },
    article: replicas,
  },
  'the first replica, which takes over': {
    before: { cacheReplicas: 1, cacheFailover: false },
    after: { cacheReplicas: 1 },
    article: replicas,
  },
  'one more replica': { before: prod, after: { ...prod, cacheReplicas: 2 } },
  'a node to shards': { before: prod, after: { ...inShards, recreateTasks: true }, article: shards },
  'a node without replicas to shards': {
    before: dev,
    after: { cacheShards: 3, cacheReplicas: 1, recreateTasks: true },
    article: shards,
  },
  'shards to a node': { before: inShards, after: { ...prod, recreateTasks: true }, article: shards },
  'a node to shards, with calls': {
    before: calls,
    after: { ...callsBesideShards, recreateTasks: true },
    article: shards,
  },
  'shards to a node, with calls': {
    before: callsInShards,
    after: { ...calls, recreateTasks: true },
    article: shards,
  },
  'a rolling deployment again': { before: { ...inShards, recreateTasks: true }, after: inShards },
  'a small cache for LiveKit': { before: callsBesideShards, after: callsInShards, article: shards },
  'calls, added beside shards': { before: { ...callsInShards, liveKitNodes: 0 }, after: callsInShards },
  'three to six': { before: callsInShards, after: { ...callsInShards, cacheShards: 6 }, article: resharding },
  'six to three': { before: { ...callsInShards, cacheShards: 6 }, after: callsInShards, article: resharding },
  'bigger nodes of a cluster': {
    before: inShards,
    after: { ...inShards, cacheNodeType: 'cache.m7g.xlarge' },
  },
  'a cluster, bypassed': { before: callsInShards, after: { ...callsInShards, backplane: 'bypassed' } },
  'more replicas of shards': {
    before: callsInShards,
    after: { ...callsInShards, cacheReplicas: 2, recreateTasks: true },
    article: shards,
  },
  'LiveKit, added': { before: withoutCalls, after: calls },
  'LiveKit, removed': { before: calls, after: withoutCalls, article: protection },
  'one more node': { before: calls, after: { ...calls, liveKitNodes: 3 } },
  'hosts to Fargate': {
    before: calls,
    after: onFargate,
    replaces: targetsOfNodes,
    article: protection,
  },
  'Fargate to hosts': {
    before: onFargate,
    after: calls,
    replaces: targetsOfNodes,
    article: protection,
  },
  'other hosts': { before: calls, after: { ...calls, liveKitInstanceType: 'c7i.xlarge' } },
  'TURN, removed': { before: calls, after: withoutTurn, article: protection },
  'TURN, added': { before: withoutTurn, after: calls },
  'one more zone': { before: dev, after: { availabilityZoneCount: 3 } },
  'the first NAT gateways': { before: dev, after: { natGateways: 2 } },
  'endpoints of AWS, added': { before: dev, after: { privateLink: true } },
  'endpoints of AWS, removed': { before: { privateLink: true }, after: dev },
  'no NAT gateways': { before: { natGateways: 2 }, after: dev },
  'another image': { before: dev, after: { imageUri: 'public.ecr.aws/team/app:2' } },
  'another certificate': {
    before: ownCertificate,
    after: { ...ownCertificate, certificateArn: `${ownCertificate.certificateArn}-new` },
  },
  'CloudFront before a domain': {
    before: domain,
    after: { ...domain, cloudFront: true },
    replaces: ['EdgeWebAcl'],
    article: protection,
  },
  'another image of LiveKit': {
    before: calls,
    after: { ...calls, liveKitImageUri: 'public.ecr.aws/team/livekit:2' },
  },
  'another agent': {
    before: calls,
    after: { ...calls, agentImageUri: 'public.ecr.aws/team/agent:2', agentHealthCommand: 'true' },
  },
  'the agents, away': { before: calls, after: { ...calls, agentTasks: 0 } },
  'the agents, back': { before: { ...calls, agentTasks: 0 }, after: calls },
  'the service, stopped': { before: calls, after: stopped, article: 'Stop everything for a while' },
  'the service, started again': { before: stopped, after: calls, article: 'Stop everything for a while' },
  'another processor': { before: dev, after: { cpuArchitecture: 'x86_64' } },
  'a rotation of LiveKit’s key': {
    before: calls,
    after: { ...calls, liveKitKeyVersion: 2 },
    article: "Rotate LiveKit's key",
  },
  'a rotation': { before: calls, after: { ...calls, passwordVersion: 2 } },
  'protection, turned on': { before: { ...calls, deletionProtection: false }, after: calls },
  teardown: { before: calls, after: { ...calls, deletionProtection: false }, article: 'Tear down' },
} satisfies Record<string, Transition>;

/** One of each kind, between variants that other suites need as well. */
const some: readonly (keyof typeof transitions)[] = [
  'CloudFront to a domain',
  'the cache to an existing Redis',
  'the cache to none',
  'LiveKit, removed',
  'hosts to Fargate',
  'a rotation',
  'the service, stopped',
  'teardown',
];
const isTried = (name: string) => isFull('stack') || (some as readonly string[]).includes(name);

const runbook = readFileSync('RUNBOOK.md', 'utf8');

/** What CloudFormation does with each resource that changes, by logical id. */
function impactsOf({ before, after }: Transition): Map<string, ResourceImpact> {
  const impacts = new Map<string, ResourceImpact>();
  const { resources } = fullDiff(templateOf(before).toJSON(), templateOf(after).toJSON());
  resources.forEachDifference((id, { changeImpact }) => impacts.set(id, changeImpact));
  return impacts;
}

const { WILL_REPLACE, MAY_REPLACE, WILL_CREATE, WILL_DESTROY, WILL_ORPHAN } = ResourceImpact;

/** Properties of a resource that differ. */
const changedIn = (old: Json, now: Json): string[] =>
  [...new Set([...Object.keys(old.Properties), ...Object.keys(now.Properties)])].filter(
    (name) => JSON.stringify(old.Properties[name]) !== JSON.stringify(now.Properties[name]),
  );

/** With this policy CloudFormation moves slots, where it would replace the cache without. */
const isResharded = (old: Json, now: Json): boolean =>
  now.UpdatePolicy?.UseOnlineResharding === true && changedIn(old, now).join() === 'NumNodeGroups';

/** Names within the account that a resource claims by their text, each with its type. */
const claimedBy = (resource: Json): string[] =>
  namesIn(resource)
    // Two web ACLs may count under one name for the minutes in which there are two.
    .filter(({ path, value }) => !path.endsWith('MetricName') && !refersToResource(value))
    .map(({ path, value }) => `${path} ${JSON.stringify(value)}`);

describe.each(Object.entries<Transition>(transitions).filter(([name]) => isTried(name)))(
  '%s',
  (name, transition) => {
    const [before, after] = [transition.before, transition.after].map((knobs) => resourcesById(knobs)) as [
      Record<string, Json>,
      Record<string, Json>,
    ];
    const impacts = impactsOf(transition);
    const affected = (...kinds: ResourceImpact[]) =>
      [...impacts].flatMap(([id, impact]) => (kinds.includes(impact) ? [id] : []));
    const isVersion = (id: string) => before[id]?.Type === 'AWS::ECS::TaskDefinition';
    const replaced = affected(WILL_REPLACE, MAY_REPLACE).filter(
      (id) => !isVersion(id) && !isResharded(before[id], after[id]),
    );

    test('replaces what the table says, and nothing else', () => {
      expect(replaced.map(withoutHash).sort()).toEqual([...(transition.replaces ?? [])].sort());
    });

    test('creates nothing under a name that something still has', () => {
      // CloudFormation creates first and deletes afterwards.
      const created = [...affected(WILL_CREATE), ...replaced].flatMap((id) => claimedBy(after[id]));
      if (created.length === 0) return;
      const taken = new Set(Object.values(before).flatMap(claimedBy));
      expect(created.filter((name) => taken.has(name))).toEqual([]);
    });

    test('removes nothing that is protected, unless an article has turned protection off before', () => {
      const gone = [...affected(WILL_DESTROY, WILL_ORPHAN), ...replaced].map(withoutHash);
      const stuck = protectedIn(transition.before).filter((id) => gone.includes(id));
      if (transition.article === protection) {
        const first = { ...transition.before, deletionProtection: false };
        expect(protectedIn(first)).toEqual([]);
      } else expect(stuck).toEqual([]);
    });

    test('asks the cache for nodes or for failover, not for both', () => {
      const changes = Object.keys(before)
        .filter((id) => before[id].Type === 'AWS::ElastiCache::ReplicationGroup' && id in after)
        .map((id) => changedIn(before[id], after[id]));
      for (const changed of changes) {
        const asksForBoth =
          changed.includes('NumCacheClusters') &&
          (changed.includes('AutomaticFailoverEnabled') || changed.includes('MultiAZEnabled'));
        expect(asksForBoth).toBe(false);
      }
    });

    test('leaves the cache’s data alone, unless it is about the cache', () => {
      const caches = (template: Record<string, Json>) =>
        Object.keys(template).filter((id) => template[id].Type === 'AWS::ElastiCache::ReplicationGroup');
      if (/Redis|none|shards/.test(name)) return;
      expect(caches(after)).toEqual(caches(before));
    });

    test('has its article in the RUNBOOK, if it takes more than a deployment', () => {
      if (transition.article) expect(runbook).toContain(`\n### ${transition.article}\n`);
      if (replaced.length > 0) expect(transition.article).toBeDefined();
    });
  },
);

// Synthesized as soon as they are described, so their names alone are.
if (!isFull('stack'))
  describeInFull('stack', 'the other transitions', () => {
    test.each(Object.keys(transitions).filter((name) => !isTried(name)))('%s', () => {});
  });

describe('from a node to shards, and back', () => {
  const both = [
    ['three shards', inShards, prod, 'RedisShardsOf2Cache', 'RedisCache'],
    ['a node', prod, inShards, 'RedisCache', 'RedisShardsOf2Cache'],
    [
      'more replicas',
      { ...inShards, cacheReplicas: 2 },
      inShards,
      'RedisShardsOf3Cache',
      'RedisShardsOf2Cache',
    ],
  ] as const;
  const caches = (knobs: KnobInput) =>
    Object.entries(resourcesById(knobs))
      .filter(([, { Type }]) => Type === 'AWS::ElastiCache::ReplicationGroup')
      .map(([id, resource]): [string, Json] => [withoutHash(id), resource]);
  const serviceOf = (knobs: KnobInput) =>
    Object.entries(resourcesById(knobs)).find(([id]) => id.startsWith('ServiceContainerService')) as [
      string,
      Json,
    ];

  test.each(both)('to %s: another cache, beside one that leaves a snapshot', (_, after, before, now, old) => {
    expect(caches(after).map(([id]) => id)).toEqual([now]);
    expect(caches(before)).toEqual([[old, expect.objectContaining({ DeletionPolicy: 'Snapshot' })]]);
    // CloudFormation deletes what is gone at the end, when the service has left it.
    expect(JSON.stringify(serviceOf(after)[1].DependsOn)).toContain(now);
  });

  test('no task of the one meets a task of the other, and no alarm rolls the change back', () => {
    const { DeploymentConfiguration } = serviceOf({ ...inShards, recreateTasks: true })[1].Properties;
    expect(DeploymentConfiguration).toMatchObject({
      MinimumHealthyPercent: 0,
      MaximumPercent: 100,
      Alarms: { Enable: false, Rollback: false },
      DeploymentCircuitBreaker: { Enable: true, Rollback: true },
    });
    // A task that connects again finds the cache that it was started with: each has a parameter of its own.
    const parameters = (knobs: KnobInput) =>
      Object.values(resourcesById(knobs)).flatMap(({ Type, Properties }) =>
        Type === 'AWS::SSM::Parameter' ? [Properties.Name] : [],
      );
    expect(parameters(prod)).toEqual(['/realtime-stack/realtime-prod/redis-url']);
    expect(parameters(inShards)).toEqual(['/realtime-stack/realtime-prod/redis-shards-of-2-url']);
  });

  test('calls stay where they are: LiveKit keeps its cache and its nodes, and nothing about them changes', () => {
    const [before, after] = [resourcesById(calls), resourcesById(callsBesideShards)];
    const ofCalls = (id: string) => /^(LiveKit|Turn|RedisCache|RedisParameters|RedisUsersLivekit)/.test(id);
    const changed = Object.keys(before).filter(
      (id) => ofCalls(id) && JSON.stringify(before[id].Properties) !== JSON.stringify(after[id]?.Properties),
    );
    expect(changed).toEqual([]);
  });

  test('LiveKit’s cache shrinks when the service has left it, and grows before it comes back', () => {
    const [, cache] = caches(callsInShards).find(([id]) => id === 'RedisCache') as [string, Json];
    expect(cache.Properties).toMatchObject({ CacheNodeType: 'cache.t4g.small', ClusterMode: 'disabled' });
    const [service, { DependsOn }] = serviceOf(callsInShards);
    expect(cache.DependsOn).toContain(service);
    expect(DependsOn.map(withoutHash)).not.toContain('RedisCache');
    expect(serviceOf(calls)[1].DependsOn.map(withoutHash)).toContain('RedisCache');
  });
});

test('more shards change the number of shards, and what watches them', () => {
  const [before, after] = [callsInShards, { ...callsInShards, cacheShards: 6 }].map(resourcesById) as [
    Record<string, Json>,
    Record<string, Json>,
  ];
  const ids = Object.keys(before).filter((id) => JSON.stringify(before[id]) !== JSON.stringify(after[id]));
  const [cluster, ...others] = ids.filter((id) => !id.startsWith('Observability')) as [string];
  expect(others).toEqual([]);
  expect(withoutHash(cluster)).toBe('RedisShardsOf2Cache');
  expect(changedIn(before[cluster], after[cluster])).toEqual(['NumNodeGroups']);
  expect(after[cluster].UpdatePolicy).toEqual({ UseOnlineResharding: true });
});

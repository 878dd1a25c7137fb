import type { KnobInput } from '../../../lib/config/config.ts';
import { type Json, withoutHash } from '../aws/synthesis.ts';
import { resourcesById, variants } from './templates.ts';

const idsOf = (knobs: KnobInput) => Object.keys(resourcesById(knobs));

/** Logical ids, without their hashes, of the resources that differ between two configurations. */
function changed(before: KnobInput, after: KnobInput): string[] {
  const [old, now] = [resourcesById(before), resourcesById(after)];
  const ids = [...new Set([...Object.keys(old), ...Object.keys(now)])];
  return ids
    .filter((id) => JSON.stringify(old[id]) !== JSON.stringify(now[id]))
    .map(withoutHash)
    .sort();
}

const calls = variants['LiveKit on Fargate'];

test('one more task changes the service, and the alarms that go by the number of tasks', () => {
  expect(changed({}, { minTasks: 3 })).toEqual([
    'ObservabilityCacheConnections',
    'ObservabilityTaskShortage',
    'ServiceContainerService',
  ]);
});

test('a bigger node changes the cache and its buffers', () => {
  expect(changed({}, { cacheNodeType: 'cache.m7g.large' })).toEqual(['RedisCache', 'RedisParameters']);
});

test('a rotation changes the idle password, its user, and the task that uses it', () => {
  expect(changed({}, { passwordVersion: 2 })).toEqual([
    'RedisUsersAppUser',
    'RedisUsersAppUserPasswordB0',
    'RedisUsersAppUserPasswordB2',
    'ServiceContainerService',
    'ServiceContainerTask',
    'ServiceContainerTaskTaskRoleDefaultPolicy',
  ]);
});

test('a rotation with LiveKit also changes its idle password and its nodes; the agent keeps running', () => {
  const ids = changed(calls, { ...calls, passwordVersion: 2 });
  expect(ids.filter((id) => !/^Service|AppUser/.test(id))).toEqual([
    'LiveKitService',
    'LiveKitTask',
    'LiveKitTaskExecutionRoleDefaultPolicy',
    'RedisUsersLivekitUser',
    'RedisUsersLivekitUserPasswordB0',
    'RedisUsersLivekitUserPasswordB2',
  ]);
});

test('adding LiveKit later changes the service’s task, the cache’s users and what goes by services, and nothing else', () => {
  const withoutOrder = ({ DependsOn, ...resource }: Json) => JSON.stringify(resource);
  // CloudFront's origin also waits for the new listener rule, which is no change of the origin itself.
  const existing = Object.entries(resourcesById())
    .filter(([id, old]) => withoutOrder(old) !== withoutOrder(resourcesById(calls)[id]))
    .map(([id]) => withoutHash(id))
    .sort();
  expect(existing).toEqual([
    'ObservabilityCacheConnections',
    'ObservabilityFailedDeploymentsRule',
    'RedisUsersGroup',
    'ServiceContainerTask',
    'ServiceContainerTaskExecutionRoleDefaultPolicy',
  ]);
});

test('a longer retention changes the logs', () => {
  expect(changed({}, { logRetentionDays: 14 })).toEqual(['NetworkFlowLogs', 'ServiceContainerLogs']);
});

test('the way to no backplane and back keeps address, network and service', () => {
  const without = idsOf(variants['no backplane']);
  const removed = idsOf({}).filter((id) => !without.includes(id));
  expect(
    removed.filter(
      (id) =>
        !/^Redis|^ServiceContainerSecurityGroup(to|from)|^ServiceDemotedPrimary|^Observability(ServiceDegraded|DemotedPrimary|Cache)/.test(
          id,
        ),
    ),
  ).toEqual([]);
});

test('adding a domain later creates another load balancer, with its own listeners and target groups', () => {
  const edge = (knobs: KnobInput) =>
    idsOf(knobs).filter((id) => /LoadBalancer|Listener|Targets|Http/.test(id) && id.startsWith('Edge'));
  const domain = variants['own certificate'];
  expect(edge({}).length).toBeGreaterThan(2);
  // A target group can't join two load balancers: with the same ids the deployment would roll back.
  expect(edge(domain).filter((id) => edge({}).includes(id))).toEqual([]);
  const kept = idsOf(domain).filter((id) => idsOf({}).includes(id));
  for (const part of ['ServiceContainerService', 'NetworkVpc', 'RedisCache', 'ServiceAuthSecret'])
    expect(kept.map(withoutHash)).toContain(part);
});

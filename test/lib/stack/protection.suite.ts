import { type Json, resourcesOf, withoutHash } from '../aws/synthesis.ts';
import { protectedIn } from './protection.ts';
import { altered, describeAltered, resourcesById, synthesize, templateOf, variants } from './templates.ts';

describe('a deployment that fails goes away clean', () => {
  test.each(Object.entries(variants))('%s: of what it created, nothing stays', (_, knobs) => {
    const kept = Object.values(resourcesById(knobs)).filter(({ DeletionPolicy }) =>
      /^(Retain|Snapshot)$/.test(DeletionPolicy),
    );
    // A snapshot's name is generated, so that one more is in nobody's way.
    expect(kept.filter(({ Type }) => Type !== 'AWS::ElastiCache::ReplicationGroup')).toEqual([]);
  });

  describeAltered((knobs) => {
    // As the README has the first deployment of prod.
    test('nothing is protected', () => {
      const unprotected = altered(knobs);
      expect(protectedIn(unprotected)).toEqual([]);
      expect(synthesize(unprotected).stack.terminationProtection).toBe(false);
    });
  });

  test.each(Object.entries(variants))('%s: a bucket that is deleted is emptied, and no other', (_, knobs) => {
    const emptiers = Object.values(templateOf(knobs).findResources('Custom::S3AutoDeleteObjects'));
    const policyOf = new Map(
      emptiers.map(({ Properties, DeletionPolicy }: Json) => [Properties.BucketName.Ref, DeletionPolicy]),
    );
    for (const [id, { DeletionPolicy }] of Object.entries(templateOf(knobs).findResources('AWS::S3::Bucket')))
      expect(policyOf.get(id)).toBe(DeletionPolicy);
  });
});

test('the next deployment of prod turns protection on, and changes nothing else', () => {
  const [first, next] = [
    { ...variants['own domain'], deletionProtection: false },
    variants['own domain'],
  ].map((knobs) => resourcesById(knobs)) as [Json, Json];
  expect(Object.keys(next)).toEqual(Object.keys(first));
  const changed = Object.keys(next).filter((id) => JSON.stringify(next[id]) !== JSON.stringify(first[id]));
  expect(changed.map(withoutHash).sort()).toEqual(protectedIn(variants['own domain']).sort());
  expect(changed.map(withoutHash).sort()).toEqual([
    'EdgeBalancerPublicLoadBalancer',
    'EdgeInternalPrivateLoadBalancer',
    'LiveKitHostsASG',
    'LiveKitHostsCapacityProvider',
    'TurnBalancer',
  ]);
});

test('no log bucket logs into itself', () => {
  for (const knobs of Object.values(variants))
    for (const { LoggingConfiguration } of resourcesOf(templateOf(knobs), 'AWS::S3::Bucket'))
      expect(LoggingConfiguration).toBeUndefined();
});

import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Buckets } from '../../../../app/server/limits/buckets.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const rule = { name: 'call', burst: 10, perSecond: 1 };
const nobody = () => undefined;

/** As many callers as there are, each of whom takes one token. */
function refer(buckets: Buckets, prefix: string, count: number, now: number): WeakRef<object>[] {
  return Array.from({ length: count }, (_, index) => {
    const bucket = buckets.of(`${prefix}-${index}`, now);
    bucket.consume(1, now);
    return new WeakRef(bucket);
  });
}

test('nothing is kept of callers whose buckets are full again', async () => {
  const buckets = new Buckets(rule, 20_000, nobody);
  const references: WeakRef<object>[] = [];
  for (let round = 1; round <= 5; round += 1) {
    references.push(...refer(buckets, `round-${round}`, 1_000, round * 60_000));
    buckets.dropFull(round * 60_000 + 30_000);
    buckets.dropFull(round * 60_000 + 31_000);
    expect(buckets.size).toBe(0);
  }
  // What was referred to in a turn is kept until its end.
  await nextTurn();
  collectGarbage();
  expect(references.filter((reference) => reference.deref() !== undefined)).toHaveLength(0);
});

test('nor where there was no room for more meanwhile', async () => {
  const buckets = new Buckets(rule, 500, nobody);
  const references = refer(buckets, 'first', 1_000, 0);
  buckets.dropFull(60_000);
  references.push(...refer(buckets, 'second', 400, 61_000));
  buckets.dropFull(120_000);
  buckets.dropFull(121_000);
  await nextTurn();
  collectGarbage();
  // All for whom there is no room share one.
  expect(references.filter((reference) => reference.deref() !== undefined).length).toBeLessThanOrEqual(501);
  expect(buckets.size).toBe(0);
});

test('who goes on keeps its bucket, which is as good as a new one once it is full', () => {
  const dropped: string[] = [];
  const buckets = new Buckets(rule, 20_000, (caller) => dropped.push(caller));
  const bucket = buckets.of('ann', 0);
  bucket.consume(9, 0);
  bucket.synced({ tokens: 1, instances: 3 }, 0);
  buckets.dropFull(1_000);
  expect([bucket.isFull(1_000), dropped]).toEqual([false, []]);
  bucket.consume(1, 1_000);
  buckets.dropFull(60_000);
  expect([buckets.of('ann', 60_000), dropped, bucket.taken]).toEqual([bucket, ['ann'], 0]);
  // Its part of the tokens is that of one instance again.
  bucket.consume(10, 60_000);
  expect(bucket.tokens(65_000)).toBe(5);
});

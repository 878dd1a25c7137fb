import { kill, RedisPair } from '../support/redis-pair.ts';
import { Scene } from '../support/scene.ts';
import { stoppedAfterwards } from '../support/stopping.ts';
import { eventually } from '../support/wait.ts';

const keep = stoppedAfterwards();

/**
 * The primary acknowledges 60 publishes that its replica never gets, every client hears its 20 of them, and
 * the primary dies. The 60 are gone from the log: each of the 30 senders is told that a publish of its own is
 * gone, each client that it had 20 messages which are no more. The other 163 are once in the log, and every
 * client has each of them once and in order.
 */
test('a failover that loses writes: senders and members are told, and nothing else is lost', async () => {
  const pair = await keep(RedisPair.start());
  const scene = await keep(Scene.open({ redis: pair.setting }));
  const { audience } = scene;
  await audience.publish(100, 200);
  await pair.level();
  pair.breakReplication();
  await audience.publish(60, 200);
  await eventually('every client to have heard them', () =>
    audience.ledger.witnesses.every(({ messages }) => (messages.at(-1)?.body as number) > 157),
  );
  await pair.promote();
  await kill(pair.replica);
  await audience.publish(60, 100);
  expect(await scene.settle(pair.primary.port)).toEqual({
    acknowledged: 223,
    refused: 0,
    uncertain: 0,
    dropped: 60,
    droppedUnsaid: 0,
    appendedTwice: 0,
    client: {
      expected: 163 * 10,
      delivered: 223 * 10,
      lostUnsaid: 0,
      goneUnsaid: 0,
      duplicated: 0,
      outOfOrder: 0,
      told: 30,
    },
    plain: expect.anything(),
  });
  for (const { losses } of audience.ledger.witnesses) expect(losses).toEqual([{ messages: 20, acked: true }]);
});

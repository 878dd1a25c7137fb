import { TcpForwarder } from '../../../support/network/tcp-forwarder.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { clientsNamed, onRedis } from '../../../support/redis/redis-client.ts';
import { LocalInstance } from '../../../support/servers/local-instance.ts';
import { stoppedAfterwards } from '../../../support/stopping.ts';
import { eventually } from '../../../support/wait.ts';

/** The name in the setting leads to another primary, and the one before lives on and answers. */

const keep = stoppedAfterwards();
let former: TestRedis;
let promoted: TestRedis;
beforeAll(async () => {
  [former, promoted] = await Promise.all([keep(startRedis()), keep(startRedis())]);
});

let count = 0;

/** @param lookUpEveryMs how often it is looked where the name leads */
async function startBehindName(lookUpEveryMs: number) {
  count += 1;
  let target = former;
  const name = await TcpForwarder.open(() => [target.port]);
  await keep({ stop: () => name.close() });
  const id = `i${count}`;
  const setting = `127.0.0.1:${name.port}`;
  const instance = await LocalInstance.start({ id, redis: setting, fanout: 'direct', lookUpEveryMs });
  await keep({ stop: () => instance.kill() });
  const move = () => {
    target = promoted;
  };
  const purposes = async ({ port }: TestRedis) => {
    const found = await Promise.all(
      ['commands', 'subscriptions'].map((purpose) => clientsNamed(port, `${id}:${purpose}`)),
    );
    return found.flat().map(({ name: full }) => full.split(':')[1]);
  };
  const kill = async (purpose: string) => {
    const [client] = await clientsNamed(former.port, `${id}:${purpose}`);
    await onRedis(former.port, (redis) => redis.client('KILL', 'ID', client?.id as string));
  };
  const isOver = async () =>
    instance.isJoined && (await purposes(promoted)).length === 2 && (await purposes(former)).length === 0;
  return { move, kill, isOver };
}

const never = 3_600_000;

test('while every connection stands it is found by a look', async () => {
  const { move, isOver } = await startBehindName(100);
  expect(await isOver()).toBe(false);
  move();
  await eventually('both connections to lead to the new one', isOver);
});

test.each(['subscriptions', 'commands'])('where only that of the %s broke, both go over', async (purpose) => {
  const { move, kill, isOver } = await startBehindName(never);
  move();
  await kill(purpose);
  await eventually('both connections to lead to the new one', isOver);
});

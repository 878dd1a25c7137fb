import type { RedisLink } from '../../../../../app/server/redis/connection/link.ts';
import { UncertainError } from '../../../../../app/server/rooms/log/log.ts';
import { RedisLog } from '../../../../../app/server/rooms/log/redis-log.ts';
import { ReplicaAcks } from '../../../../../app/server/rooms/log/replica-acks.ts';
import { defaultRetention } from '../../../../../app/server/rooms/log/retention.ts';
import { TcpForwarder } from '../../../../support/network/tcp-forwarder.ts';
import { linksOver, linkTo } from '../../../../support/redis/link.ts';
import { onRedis } from '../../../../support/redis/redis-client.ts';
import { RedisPair } from '../../../../support/redis/redis-pair.ts';

/** Two primaries, as while an old one lives beside the promoted one, each with a replica; an endpoint in front. */
let one: RedisPair;
let other: RedisPair;
let endpoint: TcpForwarder;
let target: RedisPair;
let link: RedisLink;
beforeAll(async () => {
  [one, other] = await Promise.all([RedisPair.start(), RedisPair.start()]);
  target = one;
  endpoint = await TcpForwarder.open(() => [target.primary.port]);
  link = await linkTo(`127.0.0.1:${endpoint.port}`);
});
afterAll(async () => {
  await link.close();
  await endpoint.close();
  await Promise.all([one.stop(), other.stop()]);
});

async function replicationIdOf({ primary }: RedisPair): Promise<string> {
  const info = await onRedis(primary.port, (redis) => redis.info('replication'));
  return /^master_replid:(\w+)/m.exec(info)?.[1] as string;
}

test("a replica of another server than the append's confirms nothing; a new connection finds the right one", async () => {
  const acks = new ReplicaAcks(link);
  await acks.confirm(await replicationIdOf(one), 'room');
  await expect(acks.confirm(await replicationIdOf(other), 'room')).rejects.toThrow(UncertainError);
  // The endpoint moves; the connection stands, and leads to the old one until it is doubted.
  target = other;
  await acks.confirm(await replicationIdOf(other), 'room');
});

test('a server that was demoted, and kept its connections, is left for the promoted one', async () => {
  const acks = new ReplicaAcks(link);
  target = other;
  await acks.confirm(await replicationIdOf(other), 'room');
  await other.promote();
  await other.demoteFormer();
  await other.level();
  await acks.confirm(await replicationIdOf(other), 'room');
});

test('while nobody knows which shard has the room, nothing is acknowledged', async () => {
  const log = new RedisLog({
    links: linksOver(link),
    deployment: 'acks',
    hub: 'chat',
    retention: defaultRetention,
    acksOf: () => undefined,
  });
  const append = log.append({ room: 'r', subject: 'ann', rest: '"body":0}' });
  await expect(append).rejects.toThrow(UncertainError);
});

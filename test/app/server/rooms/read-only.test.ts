import { rmSync } from 'node:fs';
import { io as connect } from 'socket.io-client';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { onRedis } from '../../../support/redis/redis-client.ts';
import { LocalInstance } from '../../../support/servers/local-instance.ts';
import { stoppedAfterwards } from '../../../support/stopping.ts';
import { eventually } from '../../../support/wait.ts';

/** A Redis that answers and takes no writes: rooms can be read, and nobody is shown the server's own words. */

const keep = stoppedAfterwards();

const configure = ({ port }: TestRedis, name: string, value: string) =>
  onRedis(port, async (redis) => void (await redis.config('SET', name, value)));

interface ErrorReply {
  readonly words: string;
  begin(redis: TestRedis): Promise<void>;
  end(redis: TestRedis): Promise<void>;
}

const noReplica: ErrorReply = {
  words: 'NOREPLICAS',
  begin: (redis) => configure(redis, 'min-replicas-to-write', '1'),
  end: (redis) => configure(redis, 'min-replicas-to-write', '0'),
};

/** Its folder is gone, as a full disk is: the next save fails. */
const cannotSave: ErrorReply = {
  words: 'MISCONF',
  begin: async (redis) => {
    const [, folder] = (await onRedis(redis.port, (admin) => admin.config('GET', 'dir'))) as [string, string];
    rmSync(folder, { recursive: true });
    await configure(redis, 'save', '3600 1');
    await onRedis(redis.port, async (admin) => {
      await admin.bgsave();
      await eventually('the save to fail', async () =>
        (await admin.info('persistence')).includes('rdb_last_bgsave_status:err'),
      );
    });
  },
  end: (redis) => configure(redis, 'stop-writes-on-bgsave-error', 'no'),
};

test.each([noReplica, cannotSave])(
  '$words: read on, refused in our own words, told, and over when it is over',
  async (refusal) => {
    const redis = await keep(startRedis());
    const instance = await LocalInstance.start({
      id: 'one',
      redis: `127.0.0.1:${redis.port}`,
      fanout: 'direct',
    });
    await keep({ stop: () => instance.kill() });
    const client = connect(`http://127.0.0.1:${instance.port}/chat`, {
      transports: ['websocket'],
      forceNew: true,
    });
    await keep({ stop: async () => void client.disconnect() });
    const publish = (body: unknown) => client.emitWithAck('publish', { room: 'r', body });
    const { epoch } = await publish(1);
    await publish(2);

    await refusal.begin(redis);
    await eventually('it to be known', () => !instance.isJoined);
    const refused = await publish(3);
    expect(refused).toMatchObject({ ok: false, error: { code: 'refused' } });
    expect(JSON.stringify(refused)).not.toContain(refusal.words);
    const read = await client.emitWithAck('join', { room: 'r', since: { epoch, offset: 1 } });
    expect(read).toMatchObject({ ok: true, recovered: true, messages: [{ body: 2 }] });
    expect(await client.emitWithAck('join', { room: 'unused' })).toMatchObject({ ok: true });

    await refusal.end(redis);
    await eventually('it to be joined again', () => instance.isJoined);
    expect(await publish(4)).toMatchObject({ ok: true, epoch, offset: 3 });
  },
);

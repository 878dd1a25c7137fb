import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { createServer } from 'node:tls';
import { callToken } from '../../app/server/livekit/token.ts';
import { askTurn } from '../../lib/verify/stack/livekit/turn.ts';
import { liveKitEnvironment } from '../../livekit/config/environment.ts';
import { liveNodes, nodesKey } from '../../livekit/config/live-nodes.ts';
import { turnPorts } from '../../livekit/config/ports.ts';
import { renderLiveKit } from '../../livekit/config/render.ts';
import { eventually } from '../support/wait.ts';
import { variants } from './config/variants.ts';
import { type GuardedRedis, startGuardedRedis } from './support/guarded-redis.ts';
import {
  apiKey,
  describeWithLiveKit,
  freeLiveKitPorts,
  spawnLiveKit,
  startLiveKit,
  type TestNode,
} from './support/livekit-server.ts';
import { endCalls, joinCall, type Participant } from './support/participant.ts';

const [certificate, key] = ['cert', 'key'].map((kind) =>
  readFileSync(`test/lib/verify/fixtures/localhost.${kind}.pem`, 'utf8'),
) as [string, string];

describeWithLiveKit('real LiveKit nodes', () => {
  let redis: GuardedRedis;
  const nodes: TestNode[] = [];
  beforeAll(async () => {
    redis = await startGuardedRedis();
  });
  afterAll(async () => {
    for (const node of nodes) await node.stop();
    await redis.stop();
    await endCalls();
  });

  const start = async (settings: Parameters<typeof startLiveKit>[0]) => {
    const node = await startLiveKit(settings);
    nodes.push(node);
    return node;
  };

  test.each(variants)('%s: it starts', async (_name, settings) => {
    const { redis: asked, turn, ...rest } = settings;
    const node = await startLiveKit(
      {
        ...rest,
        // The cache of this machine takes the place of the one in the settings.
        ...(asked && { redis: { ...redis.facts, database: asked.database ?? 0 } }),
        ...(settings.webhook && { webhook: { ...settings.webhook, apiKey: apiKey.key } }),
        ...(turn && { turn }),
      },
      settings.address.kind === 'environment' ? { [liveKitEnvironment.nodeIp]: '203.0.113.7' } : {},
    );
    await node.stop();
  });

  test('a key that it does not know keeps it from starting', async () => {
    const ports = await freeLiveKitPorts();
    const settings = { address: { kind: 'loopback' }, ports } as const;
    const config = JSON.stringify({ ...JSON.parse(renderLiveKit(settings)), drain: true });
    const node = spawnLiveKit(settings, { LIVEKIT_CONFIG: config });
    await node.ended();
    expect(node.output()).toContain('field drain not found');
  });

  test('TURN takes what a load balancer has unwrapped of its TLS', async () => {
    const node = await startLiveKit({ turn: { domain: 'turn.example.com' } });
    const front = createServer({ cert: certificate, key }, (socket) => {
      const inner = connect(turnPorts.tls, '127.0.0.1');
      for (const side of [socket, inner]) side.on('error', () => undefined);
      socket.pipe(inner).pipe(socket);
    });
    front.listen(0);
    await once(front, 'listening');
    const { port } = front.address() as AddressInfo;
    await askTurn({ host: 'localhost', port, ca: certificate }, 5_000);
    front.close();
    await node.stop();
  });

  test('two nodes: one room through both, data and audio counted, and Redis denied nothing', async () => {
    await Promise.all([start({ redis: redis.facts }), start({ redis: redis.facts })]);
    await eventually('both to be in Redis', async () => (await live()).length >= nodes.length);
    const [one, two] = await joinBoth('both');
    await one.speak();
    for (let n = 0; n < 20; n += 1) await one.say(`m${n}`);
    await eventually(
      'the data and half a second of audio',
      () => two.data.length >= 20 && two.audio.audible >= 50,
    );
    expect(two.data).toEqual(Array.from({ length: 20 }, (_, n) => `m${n}`));
    await Promise.all([one.leave(), two.leave()]);
    expect(await redis.admin.call('ACL', 'LOG')).toEqual([]);
  });

  test('a node that was killed stays in the hash, and is not counted as live', async () => {
    // Those that earlier tests ended grow old first.
    await eventually('the two that run', async () => (await live()).length === nodes.length);
    expect((await live()).map(({ state }) => state)).toEqual(['serving', 'serving']);
    await nodes.at(-1)?.stop();
    await eventually('one node less', async () => (await live()).length === nodes.length - 1);
    expect(await redis.admin.hlen(nodesKey)).toBeGreaterThanOrEqual(nodes.length);
  });

  const live = async () => liveNodes(await redis.admin.hvalsBuffer(nodesKey));

  /** A participant on each of the two. */
  const joinBoth = async (room: string) => {
    const join = async ({ wsUrl: url }: TestNode, index: number) => {
      const access = { url, apiUrl: '', apiKey: apiKey.key, apiSecret: apiKey.secret };
      const identity = { subject: `user-${index}`, guest: false };
      return joinCall(url, (await callToken(access, { room, identity })).token);
    };
    return (await Promise.all(nodes.map(join))) as [Participant, Participant];
  };
});

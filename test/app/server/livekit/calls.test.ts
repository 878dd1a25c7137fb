import { io, type Socket } from 'socket.io-client';
import type { CallEvent, CallParticipant, CallToken } from '../../../../app/protocol/calls.ts';
import type { Message } from '../../../../app/protocol/hub.ts';
import { freePort } from '../../../../lib/local/processes/ports.ts';
import {
  apiKey,
  describeWithLiveKit,
  freeLiveKitPorts,
  startLiveKit,
  type TestNode,
} from '../../../livekit/support/livekit-server.ts';
import { endCalls, joinCall } from '../../../livekit/support/participant.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { startInstance, type TestInstance } from '../../../support/servers/service.ts';
import { eventually } from '../../../support/wait.ts';

describeWithLiveKit('calls of two instances and a real LiveKit node', () => {
  let redis: TestRedis;
  let node: TestNode;
  let instances: TestInstance[];
  const sockets: Socket[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    const [ports, ...own] = await Promise.all([freeLiveKitPorts(), freePort(), freePort()]);
    const environment = {
      REDIS_URL: redis.url,
      LIVEKIT_URL: `ws://127.0.0.1:${ports.signalling}`,
      LIVEKIT_API_KEY: apiKey.key,
      LIVEKIT_API_SECRET: apiKey.secret,
    };
    instances = await Promise.all(
      own.map((port, index) => startInstance(`i${index}`, { ...environment, PORT: String(port) })),
    );
    node = await startLiveKit({
      ports,
      redis: { endpoints: [{ host: '127.0.0.1', port: redis.port }], tls: false },
      // Each event to both instances: more than LiveKit's own retries would ever do.
      webhook: { urls: instances.map(({ url }) => `${url}/api/livekit/webhook`), apiKey: apiKey.key },
      room: { departureTimeoutSeconds: 1 },
    });
  });
  afterAll(async () => {
    for (const socket of sockets) socket.close();
    await node.stop();
    await Promise.all(instances.map((instance) => instance.kill('SIGKILL')));
    await redis.stop();
    await endCalls();
  });

  test('a call is told in its chat room, each event once, and its participants are listed', async () => {
    const heard = await Promise.all(instances.map((instance) => messagesIn(instance, 'lobby')));
    const [one, two] = instances as [TestInstance, TestInstance];
    const { url, token, identity } = await post<CallToken>(one, '/api/livekit/token', { room: 'lobby' });
    const participant = await joinCall(url, token);
    const listed = () => participants(two, 'lobby');
    await eventually('the participant to be listed', async () => (await listed()).length === 1);
    expect(await listed()).toMatchObject([{ identity, subject: expect.stringMatching(/^anonymous:/) }]);
    await participant.leave();
    await eventually('LiveKit to have told both instances of the end', () => sentOf('room_finished') === 2);
    for (const messages of heard) {
      await eventually('the end to be heard', () => messages.some(({ body }) => callOf(body) === 'ended'));
      expect(messages.map(({ body }) => callOf(body))).toEqual(['started', 'joined', 'left', 'ended']);
      expect(new Set(messages.map(({ from }) => from))).toEqual(new Set(['livekit']));
    }
    expect(await listed()).toEqual([]);
  });

  test('a token of another room does not open this one', async () => {
    const [one] = instances as [TestInstance];
    const { token } = await post<CallToken>(one, '/api/livekit/token', { room: 'here' });
    const [head, payload, signature] = token.split('.') as [string, string, string];
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const forged = { ...claims, video: { ...claims.video, room: 'there' } };
    const body = Buffer.from(JSON.stringify(forged)).toString('base64url');
    const answer = await fetch(`${node.url}/rtc/validate?access_token=${head}.${body}.${signature}`);
    expect(answer.status).toBe(401);
  });

  const callOf = (body: unknown) => (body as CallEvent).call;

  const sentOf = (event: string) =>
    node
      .output()
      .split('\n')
      .filter((line) => line.includes('sent webhook') && line.includes(`"${event}"`)).length;

  const messagesIn = async ({ url }: TestInstance, room: string) => {
    const socket = io(`${url}/chat`, { transports: ['websocket'], forceNew: true });
    sockets.push(socket);
    const messages: Message[] = [];
    socket.on('message', (message) => messages.push(message));
    expect(await socket.timeout(60_000).emitWithAck('join', { room })).toMatchObject({ ok: true });
    return messages;
  };
});

async function post<T>({ url }: TestInstance, path: string, body: object): Promise<T> {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return (await response.json()) as T;
}

async function participants({ url }: TestInstance, room: string): Promise<CallParticipant[]> {
  const response = await fetch(`${url}/api/livekit/participants?room=${room}`);
  return ((await response.json()) as { participants: CallParticipant[] }).participants;
}

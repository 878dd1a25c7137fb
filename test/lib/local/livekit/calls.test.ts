import { randomUUID } from 'node:crypto';
import { paths } from '../../../../app/names.ts';
import { ControlClient } from '../../../../lib/local/control/client.ts';
import type { TopologyState } from '../../../../lib/local/state.ts';
import { describeWithAgent } from '../../../livekit/support/agent.ts';
import { describeWithLiveKit } from '../../../livekit/support/livekit-server.ts';
import { endCalls, joinCall, type Participant } from '../../../livekit/support/participant.ts';
import { eventually } from '../../../support/wait.ts';
import { ask } from '../fixtures/client.ts';
import { allGone, LocalCommand } from '../fixtures/local-command.ts';

afterAll(endCalls);

describeWithLiveKit('LiveKit in the topology', () => {
  let command: LocalCommand;
  let state: TopologyState;
  let control: ControlClient;
  let port: number;

  beforeAll(async () => {
    command = new LocalCommand(['--instances', '1', '--no-agent']);
    state = await command.ready();
    control = new ControlClient(state.control);
    port = Number(new URL(state.url).port);
  });

  afterAll(async () => {
    command.process.kill('SIGTERM');
    expect(await command.ended()).toBe(0);
    await allGone(state.processes.map(({ pid }) => pid));
  });

  const nodes = async () => (await control.state()).processes.filter(({ kind }) => kind === 'livekit');
  const node = async (id: string) => (await nodes()).find((each) => each.id === id);
  const healthOf = async ({ port = 0 }) => (await ask(port)).status;

  test('two nodes are there, in the state and on the screen', async () => {
    expect(await nodes()).toMatchObject([
      { id: 'livekit-1', health: 'healthy' },
      { id: 'livekit-2', health: 'healthy' },
    ]);
    for (const { id, port: own, pid } of await nodes())
      expect(command.output).toMatch(new RegExp(`${id} +http://127.0.0.1:${own} +pid ${pid}`));
  });

  test('their paths lead to them without stickiness, all else to the service', async () => {
    const refused = await ask(port, { path: '/rtc/validate?access_token=none' });
    expect(refused).toMatchObject({ status: 401, cookies: [] });
    const twirp = await ask(port, {
      method: 'POST',
      path: '/twirp/livekit.RoomService/ListRooms',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    expect(twirp).toMatchObject({ status: 401, cookies: [] });
    const other = await ask(port, { path: '/rtcs' });
    expect(other.cookies).toHaveLength(2);
  });

  test('a call through the load balancer: joined by the service’s tokens, listed by its API, nothing denied', async () => {
    const [one, two] = await callOf(port, 2);
    await eventually('the message', async () => {
      await one?.say('hello');
      return two?.data.includes('hello') ?? false;
    });
    await Promise.all([one?.leave(), two?.leave()]);
    expect(command.output).not.toContain('redis denied');
  });

  test('one is killed: calls go on through the other meanwhile, and it comes back', async () => {
    const { pid } = await control.killLiveKit('livekit-1');
    const [alone] = await callOf(port, 1);
    await alone?.leave();
    await eventually('it to be back', async () => {
      const part = await node('livekit-1');
      return part?.health === 'healthy' && part.pid !== pid;
    });
    await expect(control.killLiveKit('livekit-9')).rejects.toThrow(
      '404 no process of LiveKit "livekit-9"; there are: livekit-1, livekit-2',
    );
  });

  test('one is restarted in order', async () => {
    const before = await node('livekit-2');
    expect(await control.restartLiveKit('livekit-2')).toMatchObject({ id: 'livekit-2', health: 'healthy' });
    expect((await node('livekit-2'))?.pid).not.toBe(before?.pid);
    await expect(control.restartLiveKit('app-1')).rejects.toThrow('404 no LiveKit node "app-1"');
  });

  test('without Redis they say 406 and stay in the load balancer', async () => {
    const [first] = await nodes();
    await control.stopRedis();
    await eventually('it to say so', async () => (await healthOf(first ?? {})) === 406);
    expect(await nodes()).toMatchObject([{ health: 'healthy' }, { health: 'healthy' }]);
    await control.startRedis();
    await eventually('it to be well', async () => (await healthOf(first ?? {})) === 200);
  });
});

describeWithAgent('the voice agent in the topology', () => {
  test('it comes into a call that asks for it, and echoes', async () => {
    const command = new LocalCommand(['--instances', '1', '--livekit', '1']);
    try {
      const { url, control } = await command.ready();
      await command.prints('agent-1 is registered');
      const { processes } = await new ControlClient(control).state();
      expect(processes.at(-1)).toMatchObject({ id: 'agent-1', kind: 'agent' });
      const [caller] = await callOf(Number(new URL(url).port), 1, { agent: true });
      await caller?.speak();
      await eventually('the echo', () => (caller?.audio.audible ?? 0) > 20);
      await caller?.leave();
      command.process.kill('SIGTERM');
      expect(await command.ended()).toBe(0);
      await allGone(processes.map(({ pid }) => pid));
    } finally {
      command.process.kill('SIGKILL');
    }
  });
});

interface CallRequest {
  readonly agent?: boolean;
}

/** Participants of one call, each with a guest's token; the service knows of all. */
async function callOf(port: number, count: number, request: CallRequest = {}): Promise<Participant[]> {
  const room = `call-${randomUUID()}`;
  const guests = await Promise.all(
    Array.from({ length: count }, () => post<{ token: string }>(port, paths.session, {})),
  );
  const joined = await Promise.all(
    guests.map(async (guest) => {
      const call = await post<{ url: string; token: string }>(
        port,
        paths.liveKitToken,
        { room, ...request },
        guest.token,
      );
      expect(call.url).toBe(`ws://127.0.0.1:${port}`);
      return joinCall(call.url, call.token);
    }),
  );
  await eventually('the service to know of all', async () => {
    const { body } = await ask(port, {
      path: `${paths.liveKitParticipants}?room=${room}`,
      headers: { authorization: `Bearer ${guests[0]?.token}` },
    });
    return JSON.parse(body).participants?.length >= count;
  });
  return joined;
}

async function post<Answer>(port: number, path: string, body: object, token?: string): Promise<Answer> {
  const authorization: Record<string, string> =
    token === undefined ? {} : { authorization: `Bearer ${token}` };
  const answer = await ask(port, {
    method: 'POST',
    path,
    headers: { 'content-type': 'application/json', ...authorization },
    body: JSON.stringify(body),
  });
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.body}`);
  return JSON.parse(answer.body);
}

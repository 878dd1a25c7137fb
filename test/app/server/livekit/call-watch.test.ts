import type { AddressInfo } from 'node:net';
import type { CallEvent } from '../../../../app/protocol/calls.ts';
import { hashOfToken, type Identity } from '../../../../app/server/auth/identity.ts';
import { type Denials, openDenials } from '../../../../app/server/deny-list/open-denials.ts';
import { createHttp } from '../../../../app/server/http/create.ts';
import { shareDuty } from '../../../../app/server/leases/duty.ts';
import { openLimits } from '../../../../app/server/limits/limits.ts';
import { openLiveKitApi } from '../../../../app/server/livekit/api.ts';
import { CallWatch } from '../../../../app/server/livekit/call-watch.ts';
import { serveLiveKit } from '../../../../app/server/livekit/serve.ts';
import { callToken } from '../../../../app/server/livekit/token.ts';
import { type Backplane, openBackplane } from '../../../../app/server/redis/backplane.ts';
import {
  apiKey,
  describeWithLiveKit,
  freeLiveKitPorts,
  startLiveKit,
  type TestNode,
} from '../../../livekit/support/livekit-server.ts';
import { endCalls, joinCall, type Participant } from '../../../livekit/support/participant.ts';
import { silent } from '../../../support/redis/link.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { eventually } from '../../../support/wait.ts';

const minute = 60_000;
const deployment = 'calls';

/** What looks after the calls of one instance. */
interface Instance {
  readonly denials: Denials;
  readonly webhook: string;
  close(): Promise<void>;
}

describeWithLiveKit('calls of two instances are looked after', () => {
  let redis: TestRedis;
  let node: TestNode;
  let instances: [Instance, Instance];
  let settings: Parameters<typeof startLiveKit>[0];
  const published: { room: string; body: CallEvent }[] = [];
  const participants: Participant[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    const ports = await freeLiveKitPorts();
    const access = accessAt(`127.0.0.1:${ports.signalling}`);
    instances = [await openInstance('one', access), await openInstance('two', access)];
    settings = {
      ports,
      redis: { endpoints: [{ host: '127.0.0.1', port: redis.port }], tls: false },
      webhook: { urls: [instances[1].webhook], apiKey: apiKey.key },
      room: { departureTimeoutSeconds: 1 },
    };
    node = await startLiveKit(settings);
  });
  afterEach(async () => {
    for (const participant of participants.splice(0)) await participant.leave().catch(() => undefined);
  });
  afterAll(async () => {
    for (const instance of instances) await instance.close();
    await node.stop();
    await redis.stop();
    await endCalls();
  });

  const accessAt = (host: string) => ({
    url: `ws://${host}`,
    apiUrl: `http://${host}`,
    apiKey: apiKey.key,
    apiSecret: apiKey.secret,
  });

  async function openInstance(name: string, access: ReturnType<typeof accessAt>): Promise<Instance> {
    const backplane = await openBackplane({
      sources: { url: redis.url },
      deployment,
      instance: name,
      log: silent,
    });
    await eventually('the backplane', () => backplane.status === 'joined');
    const links = backplane.links as NonNullable<Backplane['links']>;
    const denials = openDenials({ links, deployment, servesAlone: false, log: silent, hubs: () => [] });
    const limits = openLimits({ deployment });
    const http = await createHttp({ log: silent, trustedProxyHops: 0, idleTimeoutSeconds: 60 });
    await serveLiveKit(http, {
      access,
      authenticate: undefined,
      hubs: new Map([['chat', { publish: (room: string, body: unknown) => hear(room, body as CallEvent) }]]),
      corsOrigins: [],
      trustedProxyHops: 0,
      denials,
      limits,
      log: silent,
      watch: {
        isOnDuty: shareDuty({ name: 'calls', links, deployment, instance: name, lastsMs: 10_000 }),
        everyMs: 500,
        comeBackSeconds: 1,
      },
    });
    await http.listen({ port: 0, host: '127.0.0.1' });
    return {
      denials,
      webhook: `http://127.0.0.1:${(http.server.address() as AddressInfo).port}/api/livekit/webhook`,
      close: async () => {
        await http.close();
        denials.close();
        limits.close();
        await backplane.close();
      },
    };
  }

  async function hear(room: string, body: CallEvent) {
    published.push({ room, body });
    return { epoch: 'E', offset: published.length };
  }

  const callsIn = (room: string) =>
    published.filter((each) => each.room === room).map(({ body }) => body.call);

  const tokenFor = async (room: string, subject: string, more: Partial<Identity> = {}) =>
    (
      await callToken(accessAt(new URL(node.url).host), {
        room,
        identity: { subject, guest: false, ...more },
      })
    ).token;

  async function join(token: string): Promise<Participant> {
    const participant = await joinCall(node.wsUrl, token);
    participants.push(participant);
    return participant;
  }
  const isIn = ({ room }: Participant) => room.isConnected;
  const present = async (room: string) =>
    (await openLiveKitApi(accessAt(new URL(node.url).host)).participants(room)).map(({ subject }) => subject);
  const ban = (subject: string, room: string) => ({ hub: 'chat', room, subject });

  test('who is banned from a room leaves its call, can not come back to it, and may be elsewhere', async () => {
    const [eve, ada, elsewhere] = await Promise.all([
      join(await tokenFor('lobby', 'eve')),
      join(await tokenFor('lobby', 'ada')),
      join(await tokenFor('garden', 'eve')),
    ]);
    const joinsOfLobby = () =>
      published.filter(({ room, body }) => room === 'lobby' && body.call === 'joined');
    await eventually('the joins to be heard', () => joinsOfLobby().length === 2);
    const held = await tokenFor('lobby', 'eve');
    await instances[0].denials.bans.ban(ban('eve', 'lobby'), minute);
    await eventually('eve to be out', () => !isIn(eve));
    await eventually('the other instance to know', () =>
      instances[1].denials.bans.isBanned(ban('eve', 'lobby')),
    );
    const again = await join(held);
    await eventually('eve to be out again', () => !isIn(again));
    expect([isIn(ada), isIn(elsewhere)]).toEqual([true, true]);
    // Nobody hears that someone came who may not.
    expect(
      joinsOfLobby()
        .map(({ body }) => body.subject)
        .sort(),
    ).toEqual(['ada', 'eve']);

    await instances[1].denials.bans.lift(ban('eve', 'lobby'));
    await eventually('the lift to be known', () =>
      instances.every(({ denials }) => !denials.bans.isBanned(ban('eve', 'lobby'))),
    );
    const back = await join(held);
    await eventually('both to be there', async () => (await present('lobby')).length === 2);
    expect(isIn(back)).toBe(true);
  });

  test('who is revoked leaves every call; of a revoked token, who came by that one', async () => {
    const [one, two, other, same] = await Promise.all([
      join(await tokenFor('first', 'mallory')),
      join(await tokenFor('second', 'mallory')),
      join(await tokenFor('first', 'grace', { tokenHash: hashOfToken('laptop') })),
      join(await tokenFor('first', 'grace', { tokenHash: hashOfToken('phone') })),
    ]);
    await instances[0].denials.revocations.revoke({ subject: 'mallory' }, minute);
    await eventually('mallory to be out', () => !isIn(one) && !isIn(two));
    await instances[1].denials.revocations.revoke({ tokenId: 'laptop' }, minute);
    await eventually('the laptop to be out', () => !isIn(other));
    expect(isIn(same)).toBe(true);
  });

  test('while LiveKit does not answer it is tried again', async () => {
    const frank = await join(await tokenFor('stalled', 'frank'));
    node.process.kill('SIGSTOP');
    try {
      await instances[0].denials.bans.ban(ban('frank', 'stalled'), 5 * minute);
      // The first try has failed when a question of our own has.
      await expect(present('stalled')).rejects.toThrow("LiveKit can't be asked now");
    } finally {
      node.process.kill('SIGCONT');
    }
    await eventually('frank to be out', () => !isIn(frank), 60_000);
  });

  test('a call whose node has died is nobody’s, and ends', async () => {
    const hal = await join(await tokenFor('doomed', 'hal'));
    await eventually('the call to be told', () => callsIn('doomed').includes('joined'));
    await node.stop();
    await hal.leave().catch(() => undefined);
    node = await startLiveKit(settings);
    expect(await present('doomed')).toEqual([]);
    await eventually('the end to be told', () => callsIn('doomed').includes('ended'), 60_000);
    // Its second node has started nothing that anyone would hear of.
    expect(callsIn('doomed')).toEqual(['started', 'joined', 'ended']);
    const api = openLiveKitApi(accessAt(new URL(node.url).host));
    await eventually('it to be forgotten', async () =>
      (await api.calls()).every(({ room }) => room !== 'doomed'),
    );
  });

  test('a call whose node has died goes on where its people come back', async () => {
    const ida = await join(await tokenFor('moved', 'ida'));
    await eventually('the call to be told', () => callsIn('moved').includes('joined'));
    await node.stop();
    await ida.leave().catch(() => undefined);
    node = await startLiveKit(settings);
    // A page that asks again and again, from before they are back.
    const api = openLiveKitApi(accessAt(new URL(node.url).host));
    expect(await api.participants('moved')).toEqual([]);
    const back = await join(await tokenFor('moved', 'ida'));
    const third = await join(await tokenFor('moved', 'kim'));
    await eventually('both to be there', async () => (await api.participants('moved')).length === 2);
    // Several looks at all calls later.
    const looks = callsIn('moved').length;
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect([isIn(back), isIn(third), callsIn('moved').slice(looks)]).toEqual([true, true, []]);
    expect(callsIn('moved')).not.toContain('ended');
  });
});

describe('who is to be removed while LiveKit is away', () => {
  const denials = openDenials({
    links: undefined,
    deployment,
    servesAlone: false,
    log: silent,
    hubs: () => [],
  });
  afterAll(() => denials.close());

  /** A LiveKit that has these calls, and answers or does not. */
  function watchOver(rooms: readonly string[]) {
    const removed = new Set<string>();
    const state = { away: true, asked: 0 };
    const answer = async () => {
      state.asked += 1;
      if (state.away) throw new Error('LiveKit is away');
    };
    const watch = new CallWatch({
      denials,
      isOnDuty: async () => false,
      log: silent,
      api: {
        calls: async () => {
          await answer();
          return rooms.map((room) => ({ room, createdAt: 0 }));
        },
        remove: async (room) => {
          await answer();
          removed.add(room);
        },
        isHosted: async () => true,
        revive: async () => undefined,
      },
    });
    return { watch, removed, state };
  }

  test('is removed when it is back, from each room', async () => {
    const { watch, removed, state } = watchOver([]);
    await denials.bans.ban({ hub: 'chat', room: 'a', subject: 'eve' }, minute);
    await denials.bans.ban({ hub: 'chat', room: 'b', subject: 'eve' }, minute);
    await denials.bans.ban({ hub: 'bots', room: 'no-call', subject: 'eve' }, minute);
    await eventually('it to have been tried', () => state.asked > 0);
    state.away = false;
    await eventually('both rooms', () => removed.size === 2);
    expect([...removed].sort()).toEqual(['a', 'b']);
    watch.close();
  });

  test('is looked for in all calls where there are too many rooms to remember', async () => {
    const { watch, removed, state } = watchOver(['the one call']);
    for (let n = 0; n < 3_000; n += 1) watch.check(`room-${n}`);
    await eventually('it to have been tried', () => state.asked > 0);
    state.away = false;
    await eventually('the call', () => removed.has('the one call'));
    await eventually('all that is remembered', () => removed.size > 1_000);
    watch.close();
    expect(removed.size).toBeLessThan(1_100);
  });

  test('is not tried any more by an instance that has ended', async () => {
    const { watch, state } = watchOver([]);
    watch.check('room');
    await eventually('it to have been tried', () => state.asked > 0);
    watch.close();
    const { asked } = state;
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(state.asked).toBe(asked);
  });
});

test('one instance is on duty, another one when it does not ask again', async () => {
  const redis = await startRedis();
  const open = async (instance: string) => {
    const backplane = await openBackplane({ sources: { url: redis.url }, deployment, instance, log: silent });
    await eventually('the backplane', () => backplane.status === 'joined');
    const duty = shareDuty({ name: 'calls', links: backplane.links, deployment, instance, lastsMs: 1_000 });
    return { duty, close: () => backplane.close() };
  };
  const [one, two] = [await open('one'), await open('two')];
  const turns = [await one.duty(), await two.duty(), await one.duty(), await two.duty()];
  expect(turns).toEqual([true, false, true, false]);
  await eventually('the other one to take it over', () => two.duty());
  await one.close();
  await redis.stop();
  await eventually('to be alone', () => one.duty());
  await two.close();
  expect(await shareDuty({ name: 'calls', links: undefined, deployment, instance: 'x', lastsMs: 1 })()).toBe(
    true,
  );
});

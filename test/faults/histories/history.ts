import type { ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { type ClientHub, openHub } from '../../../app/client/hub.ts';
import type { Position } from '../../../app/protocol/hub.ts';
import { roomPath } from '../../../app/server/redis/buckets.ts';
import { roomKeys } from '../../../app/server/rooms/keys.ts';
import type { Audit } from '../../../lib/verify/accounting/audit.ts';
import { Audience, type Member } from '../../support/clients/audience.ts';
import { TcpForwarder } from '../../support/network/tcp-forwarder.ts';
import { onRedis } from '../../support/redis/redis-client.ts';
import { kill, RedisPair } from '../../support/redis/redis-pair.ts';
import { readHistories } from '../../support/redis/room-history.ts';
import { eventually } from '../../support/wait.ts';
import { type Instance, startHere, startProcess } from './instances.ts';
import { foreignPayloads } from './payloads.ts';
import type { JoinFrom, Plan, Step } from './plan.ts';
import { RedisAccess } from './redis-access.ts';

/** What the contract says of a history, and what its senders say. */
export interface Outcome extends Audit {
  /** Publishes that ended as `refused`, which says that nothing was written, and stand in the log. */
  readonly refusedAndWritten: number;
  /** Of what clients were notified that it is lost, by client. */
  readonly losses: readonly string[];
}

/** Often enough for a name that moves while every connection stands, in milliseconds. */
const lookUpEveryMs = 1_000;

/** One plan, carried out: instances over a real Redis and its replica. */
export class History {
  readonly #plan: Plan;
  readonly #audience: Audience;
  readonly #instances: Instance[] = [];
  readonly #accesses = new Map<string, RedisAccess>();
  readonly #hubs: ClientHub<number>[] = [];
  readonly #residents: Member[] = [];
  readonly #visitors: Member[] = [];
  readonly #underWay: Promise<unknown>[] = [];
  readonly #stalls: Promise<void>[] = [];
  #pair!: RedisPair;
  #front!: TcpForwarder;
  #started = 0;
  #isOver = false;
  /** The former primary takes writes, too. */
  #isApart = false;
  #at = 'the start';

  constructor(plan: Plan) {
    this.#plan = plan;
    // A try must not come behind the window of ids, whatever holds it up.
    this.#audience = new Audience(plan.mayFail ? { forMs: plan.idWindowMs / 3 } : {});
  }

  /** What it is doing. */
  get at(): string {
    return this.#at;
  }

  async run(): Promise<Outcome> {
    try {
      await this.#open();
      this.#behind(this.#goOnPublishing());
      for (const [index, step] of this.#plan.steps.entries()) {
        this.#at = `step ${index + 1}, ${step.step}`;
        await this.#take(step);
      }
      await this.#heal();
      return await this.#check();
    } finally {
      await this.#close();
    }
  }

  async #open(): Promise<void> {
    this.#pair = await RedisPair.start();
    this.#front = await TcpForwarder.open(() => this.#instances.map(({ port }) => port));
    await Promise.all(Array.from({ length: this.#plan.instances }, () => this.#addInstance()));
    for (let n = 0; n < this.#plan.rooms * this.#plan.residents; n += 1) {
      this.#residents.push(await this.#audience.join(this.#openHub(), roomName(n % this.#plan.rooms)));
    }
  }

  async #take(step: Step): Promise<void> {
    switch (step.step) {
      case 'publish':
        return this.#publish(step.count, step.who);
      case 'wait':
        return delay(step.ms);
      case 'join':
        return this.#join(roomName(step.room), step.from, step.who);
      case 'leave':
        return this.#leave(step.who);
      case 'cut client':
        return this.#cutClient(nth(this.#hubs, step.who));
      case 'mute client':
        return this.#muteClient(nth(this.#hubs, step.who), step.towards);
      case 'cut link':
        return this.#accessOf(step.who).cut(step.link);
      case 'mute link':
        return this.#accessOf(step.who).mute(step.link, step.towards);
      case 'kill instance':
        return this.#killInstance(step.who);
      case 'add instance':
        return this.#addInstance();
      case 'stop instance':
        return this.#stall(nth(this.#instances, step.who).stop(step.ms));
      case 'stop Redis':
        return this.#stall(stopServer(this.#pair[step.server].process, step.ms));
      case 'failover':
        return this.#failOver(step);
      case 'expire':
        return this.#expire(roomName(step.room));
      case 'flush':
        return onRedis(this.#pair.primary.port, async (redis) => void (await redis.flushall()));
      case 'foreign payload':
        return this.#publishForeign(roomName(step.room), step.payload);
    }
  }

  /** The steps go on meanwhile. */
  #behind(task: Promise<unknown>): void {
    this.#underWay.push(task);
  }

  #stall(ending: Promise<void>): void {
    this.#stalls.push(ending);
  }

  #openHub(): ClientHub<number> {
    const hub = openHub<number>(`http://127.0.0.1:${this.#front.port}`, 'chat', {
      transports: ['websocket'],
      tryAllTransports: false,
      forceNew: true,
      reconnectionDelay: 20,
      reconnectionDelayMax: 300,
    });
    this.#hubs.push(hub);
    return hub;
  }

  async #addInstance(): Promise<void> {
    if (this.#instances.length >= mostInstances) return;
    this.#started += 1;
    const id = `i${this.#started}`;
    const { fanout, acks, backplane, idWindowMs, logMessages, endpoints, areProcesses } = this.#plan;
    const access = await RedisAccess.open(id, this.#pair, endpoints);
    this.#accesses.set(id, access);
    const options = {
      id,
      redis: access.setting,
      fanout,
      acks,
      backplane,
      idWindowMs,
      logMessages,
      lookUpEveryMs,
    };
    this.#instances.push(await (areProcesses ? startProcess(options) : startHere(options)));
  }

  async #killInstance(who: number): Promise<void> {
    if (this.#instances.length < 2) return;
    const [doomed] = this.#instances.splice(who % this.#instances.length, 1);
    await doomed?.kill();
  }

  #accessOf(who: number): RedisAccess {
    return this.#accesses.get(nth(this.#instances, who).id) as RedisAccess;
  }

  #publish(count: number, who: number): void {
    const members = [...this.#residents, ...this.#visitors];
    for (let n = 0; n < count; n += 1) {
      this.#behind(this.#audience.publishOnce(nth(members, who + n * 7)));
    }
  }

  /** Beside what the steps publish, so that something is under way in all that happens. */
  async #goOnPublishing(): Promise<void> {
    const published: Promise<unknown>[] = [];
    for (let n = 0; !this.#isOver; n += 1) {
      published.push(this.#audience.publishOnce(nth(this.#residents, n)));
      await delay(publishEveryMs);
    }
    await Promise.all(published);
  }

  #join(room: string, from: JoinFrom, who: number): void {
    const since = this.#sinceOf(room, from, who);
    const joining = this.#audience.join(this.#openHub(), room, since ? { since } : {});
    this.#behind(joining.then((member) => this.#visitors.push(member)));
  }

  #sinceOf(room: string, from: JoinFrom, who: number): Position | undefined {
    if (from === 'unknown') return { epoch: 'never', offset: who };
    const heard = this.#audience.receivers
      .filter((receiver) => receiver.room === room)
      .flatMap(({ messages }) => messages);
    if (from === 'now' || heard.length === 0) return undefined;
    const { epoch, offset } = nth(heard, who);
    return { epoch, offset };
  }

  #leave(who: number): void {
    const [member] = this.#visitors.splice(who % Math.max(1, this.#visitors.length), 1);
    if (!member) return;
    member.hub.leave(member.room.name);
    member.receiver.leave();
  }

  #cutClient({ socket }: ClientHub<number>): void {
    if (socket.connected) socket.io.engine.close();
  }

  #muteClient({ socket }: ClientHub<number>, towards: 'toTarget' | 'toClient'): void {
    const port = clientPortOf(socket);
    if (port !== undefined) this.#front.swallow(towards, ({ clientPort }) => clientPort === port);
  }

  async #failOver({ lossy, behindMs, former }: Extract<Step, { step: 'failover' }>): Promise<void> {
    await this.#reunite();
    if (lossy) {
      this.#pair.breakReplication();
      this.#publish(10, 3);
      await delay(behindMs);
    } else {
      await this.#pair.holdWrites();
    }
    await this.#pair.promote();
    if (former === 'apart') {
      this.#isApart = true;
      return;
    }
    if (former === 'demoted') return this.#pair.demoteFormer();
    await kill(this.#pair.replica);
    await this.#pair.replaceReplica();
  }

  /** The primary that was left to itself follows the other one: what it took meanwhile is gone. */
  async #reunite(): Promise<void> {
    if (!this.#isApart) return;
    this.#isApart = false;
    await this.#pair.demoteFormer();
    await this.#pair.level();
  }

  /** In one step, with the ids of its messages, which go long before. */
  async #expire(room: string): Promise<void> {
    const script = `for _, key in ipairs(redis.call('KEYS', '*')) do
      if string.sub(key, -#ARGV[1]) == ARGV[1] then redis.call('DEL', key) end
    end`;
    await onRedis(this.#pair.primary.port, (redis) => redis.eval(script, 0, `:${roomPath('chat', room)}`));
  }

  async #publishForeign(room: string, which: number): Promise<void> {
    const { channel, log } = roomKeys('realtime', 'chat', room);
    await onRedis(this.#pair.primary.port, async (redis) => {
      const [newest] = await redis.xrevrange(log, '+', '-', 'COUNT', 1);
      const payload = nth(foreignPayloads(newest?.[1][1]), which);
      await redis.spublish(channel, payload);
    });
  }

  /** Everything that is under way ends, and each client hears one more message. */
  async #heal(): Promise<void> {
    this.#at = 'the end';
    await this.#reunite();
    await Promise.all(this.#stalls);
    this.#isOver = true;
    await eventually('every client to be connected', () =>
      this.#hubs.every(({ socket }) => socket.connected),
    );
    await Promise.all(this.#underWay);
    if (this.#plan.backplane === 'preferred') await this.#levelOnceJoined();
    else await this.#audience.level();
  }

  /** Who serves alone acknowledges what the others never hear of, and may find late that it is alone. */
  async #levelOnceJoined(): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      await eventually('every instance to have joined', () => this.#instances.every((one) => one.isJoined()));
      const isLast = tries === 4;
      const isLevel = this.#audience.level(isLast ? undefined : 15_000).then(() => true);
      if (await isLevel.catch((error) => (isLast ? Promise.reject(error) : false))) return;
    }
  }

  /** A sender may have the last message a moment before it is notified that an older one of its own is gone. */
  async #check(): Promise<Outcome> {
    const histories = await readHistories(this.#pair.primary.port, this.#audience.rooms);
    const check = () => this.#audience.audit(histories);
    await eventually('senders to be notified', () => check().droppedUnsaid === 0, 5_000).catch(
      () => undefined,
    );
    const losses = this.#audience.receivers.flatMap(({ participant: { name }, room, from, losses }) =>
      losses.map((lost) => `${name} of ${room} from ${JSON.stringify(from)}: ${JSON.stringify(lost)}`),
    );
    return { ...check(), refusedAndWritten: this.#audience.refusedAndWritten(histories), losses };
  }

  async #close(): Promise<void> {
    for (const hub of this.#hubs) hub.close();
    await Promise.all(this.#instances.map((instance) => instance.kill()));
    await this.#front?.close();
    await Promise.all(Array.from(this.#accesses.values(), (access) => access.close()));
    await this.#pair?.stop();
  }
}

const mostInstances = 4;
const publishEveryMs = 40;

/** As a machine is that stands still: what was sent to it meanwhile it reads afterwards. */
async function stopServer(server: ChildProcess, ms: number): Promise<void> {
  server.kill('SIGSTOP');
  await delay(ms);
  server.kill('SIGCONT');
}

/** What Engine.IO's client has of its WebSocket in Node. */
interface TransportInternals {
  readonly ws?: { readonly _socket?: { readonly localPort?: number } };
}

function clientPortOf({ io }: ClientHub<number>['socket']): number | undefined {
  const { ws } = (io.engine?.transport ?? {}) as unknown as TransportInternals;
  return ws?._socket?.localPort;
}

function roomName(number: number): string {
  return `room-${number}`;
}

function nth<T>(from: readonly T[], n: number): T {
  return from[n % from.length] as T;
}

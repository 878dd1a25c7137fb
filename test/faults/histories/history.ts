import { setTimeout as delay } from 'node:timers/promises';
import { type ClientHub, openHub } from '../../../app/client/hub.ts';
import type { Position } from '../../../app/protocol/hub.ts';
import { roomKeys } from '../../../app/server/rooms/keys.ts';
import { Audience, type Member } from '../../support/audience.ts';
import type { Report } from '../../support/ledger.ts';
import { LocalInstance } from '../../support/local-instance.ts';
import { clientsNamed, onRedis } from '../../support/redis-client.ts';
import { kill, RedisPair } from '../../support/redis-pair.ts';
import { readHistories } from '../../support/room-history.ts';
import { TcpForwarder } from '../../support/tcp-forwarder.ts';
import { eventually } from '../../support/wait.ts';
import type { JoinFrom, Plan, Step } from './plan.ts';

/** One plan, carried out: instances in this process over a real Redis and its replica. */
export class History {
  readonly #plan: Plan;
  readonly #audience = new Audience();
  readonly #instances: LocalInstance[] = [];
  readonly #hubs: ClientHub<number>[] = [];
  readonly #residents: Member[] = [];
  readonly #visitors: Member[] = [];
  readonly #underWay: Promise<unknown>[] = [];
  #pair!: RedisPair;
  #front!: TcpForwarder;
  #started = 0;
  #at = 'the start';

  constructor(plan: Plan) {
    this.#plan = plan;
  }

  /** What it is doing. */
  get at(): string {
    return this.#at;
  }

  /** @returns what the contract says of it */
  async run(): Promise<Report> {
    try {
      await this.#open();
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
    if (step.step === 'publish') this.#publish(step.count, step.who);
    if (step.step === 'wait') await delay(step.ms);
    if (step.step === 'join') this.#join(roomName(step.room), step.from, step.who);
    if (step.step === 'leave') this.#leave(step.who);
    if (step.step === 'cut client') this.#cutClient(nth(this.#hubs, step.who));
    if (step.step === 'cut links') await this.#cutLinks(nth(this.#instances, step.who), step.link);
    if (step.step === 'kill instance' && this.#instances.length > 1) await this.#killInstance(step.who);
    if (step.step === 'add instance' && this.#instances.length < 4) await this.#addInstance();
    if (step.step === 'failover') await this.#failOver(step.lossy, step.former);
    if (step.step === 'expire') await this.#expire(roomName(step.room));
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
    this.#started += 1;
    const { fanout } = this.#plan;
    this.#instances.push(
      await LocalInstance.start({ id: `i${this.#started}`, redis: this.#pair.setting, fanout }),
    );
  }

  async #killInstance(who: number): Promise<void> {
    const [doomed] = this.#instances.splice(who % this.#instances.length, 1);
    await doomed?.kill();
  }

  #publish(count: number, who: number): void {
    const members = [...this.#residents, ...this.#visitors];
    for (let n = 0; n < count; n += 1) {
      this.#underWay.push(this.#audience.publishOnce(nth(members, who + n * 7)));
    }
  }

  #join(room: string, from: JoinFrom, who: number): void {
    const since = this.#sinceOf(room, from, who);
    const joining = this.#audience.join(this.#openHub(), room, since ? { since } : {});
    this.#underWay.push(joining.then((member) => this.#visitors.push(member)));
  }

  #sinceOf(room: string, from: JoinFrom, who: number): Position | undefined {
    if (from === 'unknown') return { epoch: 'never', offset: who };
    const heard = this.#audience.ledger.witnesses
      .filter((witness) => witness.room === room)
      .flatMap(({ messages }) => messages);
    if (from === 'now' || heard.length === 0) return undefined;
    const { epoch, offset } = nth(heard, who);
    return { epoch, offset };
  }

  #leave(who: number): void {
    const [member] = this.#visitors.splice(who % Math.max(1, this.#visitors.length), 1);
    if (!member) return;
    member.hub.leave(member.witness.room);
    member.witness.leave();
  }

  #cutClient({ socket }: ClientHub<number>): void {
    if (socket.connected) socket.io.engine.close();
  }

  async #cutLinks(instance: LocalInstance, link: 'commands' | 'subscriptions' | 'both'): Promise<void> {
    const { port } = this.#pair.primary;
    const names = link === 'both' ? ['commands', 'subscriptions'] : [link];
    for (const name of names) {
      for (const { id } of await clientsNamed(port, `${instance.id}:${name}`)) {
        await onRedis(port, (redis) => redis.client('KILL', 'ID', id)).catch(() => undefined);
      }
    }
  }

  async #failOver(lossy: boolean, former: 'killed' | 'demoted'): Promise<void> {
    if (lossy) {
      this.#pair.breakReplication();
      this.#publish(10, 3);
      await delay(60);
    } else {
      await this.#pair.holdWrites();
    }
    await this.#pair.promote();
    if (former === 'demoted') return this.#pair.demoteFormer();
    await kill(this.#pair.replica);
    await this.#pair.replaceReplica();
  }

  /** In one step, with the ids of its messages, which go long before. */
  async #expire(room: string): Promise<void> {
    const { channel } = roomKeys('realtime', 'chat', room);
    const script = `for _, key in ipairs(redis.call('KEYS', '*')) do
      if string.find(key, ARGV[1], 1, true) == 1 then redis.call('DEL', key) end
    end`;
    await onRedis(this.#pair.primary.port, (redis) => redis.eval(script, 0, `${channel}:`));
  }

  /** Everything that is under way ends well, and each client hears one more message. */
  async #heal(): Promise<void> {
    await eventually('every client to be connected', () =>
      this.#hubs.every(({ socket }) => socket.connected),
    );
    await Promise.all(this.#underWay);
    await this.#audience.level();
  }

  /** A sender may have the last message a moment before it is told that an older one of its own is gone. */
  async #check(): Promise<Report> {
    const histories = await readHistories(this.#pair.primary.port, this.#audience.rooms);
    const check = () => this.#audience.ledger.check(histories);
    await eventually('senders to be told', () => check().droppedUnsaid === 0, 5_000).catch(() => undefined);
    return check();
  }

  async #close(): Promise<void> {
    for (const hub of this.#hubs) hub.close();
    await Promise.all(this.#instances.map((instance) => instance.kill()));
    await this.#front?.close();
    await this.#pair?.stop();
  }
}

function roomName(number: number): string {
  return `room-${number}`;
}

function nth<T>(from: readonly T[], n: number): T {
  return from[n % from.length] as T;
}

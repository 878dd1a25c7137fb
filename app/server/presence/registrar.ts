import type { Logger } from 'pino';
import type { PresencePosition } from '../../protocol/hub.ts';
import type { Leases } from '../leases/leases.ts';
import { loggedReason, RedisAwayError } from '../redis/access.ts';
import { settleInPortions } from '../redis/settled.ts';
import type { LocalPresence, LocalRoom } from './local.ts';
import { type HubPresence, type Members, mostAtOnce, UnsettledError } from './store.ts';

export interface RegistrarOptions {
  readonly shared: HubPresence;
  readonly local: LocalPresence;
  /** The name is read anew each time: it changes where the lease is lost. */
  readonly leases: Pick<Leases, 'owner' | 'isHeld'>;
  readonly log: Logger;
}

/** Changes of so many milliseconds go out together, one call for a room. */
const batchMs = 200;
const retryMs = 1_000;
const reportFaultEveryMs = 60_000;
/** Rooms that are registered, or compared, at a time. */
const roomsAtOnce = 50;
/** Well within the age of the keys, an hour: comparing a room also keeps them. */
const verifyEveryMs = 600_000;

/** Keeps what is registered of this instance as it is. While the store is away changes wait. */
export class Registrar {
  readonly #options: RegistrarOptions;
  #timer: NodeJS.Timeout | undefined;
  #registering: Promise<boolean> | undefined;
  #verifying = false;
  #doubts = 0;
  #reportedAt = 0;
  #isClosed = false;

  constructor(options: RegistrarOptions) {
    this.#options = options;
  }

  /** Undefined while the store can't tell. */
  async members(room: string, known?: PresencePosition): Promise<Members | undefined> {
    try {
      return await this.#options.shared.members(room, known);
    } catch (error) {
      this.#failed(error as Error);
      return undefined;
    }
  }

  /** Something has changed here. */
  soon(afterMs = batchMs): void {
    if (this.#timer || this.#isClosed) return;
    this.#timer = setTimeout(async () => {
      const { local } = this.#options;
      await this.#register(local.unregistered(Date.now()));
      this.#timer = undefined;
      const left = local.unregistered();
      if (left.some(({ retryAt }) => retryAt <= Date.now())) this.soon();
      else if (left.length > 0) this.soon(retryMs);
    }, afterMs);
  }

  /** What is registered may not be what was: compares it. @param mayLack @default in all rooms */
  verifyAll(mayLack: (room: string) => boolean = () => true): void {
    this.#doubts += 1;
    this.#options.local.doubt(mayLack);
    void this.tick();
  }

  /** Tells what is due, and compares what was not for long; neither waits for the other, which a shard may hold up. */
  async tick(): Promise<void> {
    if (this.#isClosed) return;
    const published = this.#options.shared.publishDue().catch((error) => this.#failed(error));
    await Promise.all([published, this.#verifyDoubted()]);
  }

  async #verifyDoubted(): Promise<void> {
    if (this.#verifying) return;
    this.#verifying = true;
    const doubted = this.#options.local.unverified(Date.now() - verifyEveryMs);
    const { fault } = await settleInPortions(doubted, roomsAtOnce, (room) => this.#verify(room));
    if (fault) this.#failed(fault as Error);
    this.#verifying = false;
  }

  /** Registers what is left, and takes back the rest. */
  async close(graceMs: number): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#registering;
    const { shared, local, leases, log } = this.#options;
    for (let goesOn = true; goesOn && local.unregistered().length > 0; )
      goesOn = await this.#register(local.unregistered());
    await shared.release(leases.owner, graceMs, 'own').catch((error) => {
      log.warn({ err: error }, 'presence was not taken back: that is done when the lease has run out');
    });
  }

  /** @returns whether all went through */
  async #register(changed: readonly LocalRoom[]): Promise<boolean> {
    this.#registering = this.#registerAll(changed);
    return this.#registering;
  }

  async #registerAll(changed: readonly LocalRoom[]): Promise<boolean> {
    const { answers, fault } = await settleInPortions(changed, roomsAtOnce, (room) =>
      this.#registerRoom(room),
    );
    if (fault) this.#failed(fault as Error);
    return !fault && answers.every(Boolean);
  }

  async #registerRoom(room: LocalRoom): Promise<boolean> {
    const { shared, local, leases } = this.#options;
    const subjects = [...room.unregistered].slice(0, mostAtOnce);
    const isHere = (subject: string) => room.sockets.has(subject);
    for (const subject of subjects) room.unregistered.delete(subject);
    let isWritten = false;
    try {
      const joined = subjects.filter(isHere);
      const left = subjects.filter((subject) => !isHere(subject));
      isWritten = leases.isHeld && (await shared.change(room.name, { owner: leases.owner, joined, left }));
    } finally {
      if (!isWritten) {
        // It may be written without our knowing: saying it twice does no harm.
        for (const subject of subjects) local.mark(room, subject);
        room.retryAt = Date.now() + retryMs;
      }
    }
    local.forgetWhenEmpty(room);
    return isWritten;
  }

  /** That Redis is away is logged elsewhere. */
  #failed(error: Error): void {
    if (error instanceof RedisAwayError || error instanceof UnsettledError) return;
    if (Date.now() - this.#reportedAt < reportFaultEveryMs) return;
    this.#reportedAt = Date.now();
    this.#options.log.warn(loggedReason(error), 'presence is not up to date; it is tried again every second');
  }

  async #verify(room: LocalRoom): Promise<void> {
    const { shared, local, leases } = this.#options;
    const [startedAt, doubts] = [Date.now(), this.#doubts];
    const registered = new Set(await shared.registered(room.name, leases.owner));
    for (const subject of registered) if (!room.sockets.has(subject)) local.mark(room, subject);
    for (const subject of room.sockets.keys()) if (!registered.has(subject)) local.mark(room, subject);
    if (doubts === this.#doubts) room.verifiedAt = startedAt;
    if (room.unregistered.size > 0) this.soon();
  }
}

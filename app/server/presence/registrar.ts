import type { Logger } from 'pino';
import type { PresencePosition } from '../../protocol/hub.ts';
import { RedisAwayError } from '../redis/access.ts';
import type { LocalPresence, LocalRoom } from './local.ts';
import { type HubPresence, type Members, mostAtOnce, UnsettledError } from './store.ts';

export interface RegistrarOptions {
  readonly shared: HubPresence;
  readonly local: LocalPresence;
  readonly owner: string;
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
  #ticking = false;
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
      const isDone = await this.#register();
      this.#timer = undefined;
      if (this.#options.local.unregistered().length > 0) this.soon(isDone ? batchMs : retryMs);
    }, afterMs);
  }

  /** What is registered may not be what was: compares all of it. */
  verifyAll(): void {
    this.#doubts += 1;
    this.#options.local.doubt();
    void this.tick();
  }

  /** Tells what is due, and compares what was not for long. */
  async tick(): Promise<void> {
    if (this.#ticking || this.#isClosed) return;
    this.#ticking = true;
    const { shared, local } = this.#options;
    try {
      await shared.publishDue();
      const unverified = local.unverified(Date.now() - verifyEveryMs);
      await inChunks(unverified, ([name, room]) => this.#verify(name, room));
    } catch (error) {
      this.#failed(error as Error);
    } finally {
      this.#ticking = false;
    }
  }

  /** Registers what is left, and takes back the rest. */
  async close(graceMs: number): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#registering;
    const { shared, local, owner, log } = this.#options;
    for (let goesOn = true; goesOn && local.unregistered().length > 0; ) goesOn = await this.#register();
    await shared.release(owner, graceMs, 'own').catch((error) => {
      log.warn({ err: error }, 'presence was not taken back: that is done when the lease has run out');
    });
  }

  async #register(): Promise<boolean> {
    this.#registering = this.#registerAll();
    return this.#registering;
  }

  /** @returns whether all went through */
  async #registerAll(): Promise<boolean> {
    const { local } = this.#options;
    try {
      const done = await inChunks(local.unregistered(), ([name, room]) => this.#registerRoom(name, room));
      return done.every(Boolean);
    } catch (error) {
      this.#failed(error as Error);
      return false;
    }
  }

  async #registerRoom(name: string, room: LocalRoom): Promise<boolean> {
    const { shared, local, owner } = this.#options;
    const subjects = [...room.unregistered].slice(0, mostAtOnce);
    const isHere = (subject: string) => room.sockets.has(subject);
    for (const subject of subjects) room.unregistered.delete(subject);
    let isWritten = false;
    try {
      const joined = subjects.filter(isHere);
      const left = subjects.filter((subject) => !isHere(subject));
      isWritten = await shared.change(name, { owner, joined, left });
    } finally {
      // It may be written without our knowing: saying it twice does no harm.
      if (!isWritten) for (const subject of subjects) room.unregistered.add(subject);
    }
    local.forgetWhenEmpty(name);
    return isWritten;
  }

  /** That Redis is away is logged elsewhere. */
  #failed(error: Error): void {
    if (error instanceof RedisAwayError || error instanceof UnsettledError) return;
    if (Date.now() - this.#reportedAt < reportFaultEveryMs) return;
    this.#reportedAt = Date.now();
    this.#options.log.warn({ err: error }, 'presence is not up to date; it is tried again every second');
  }

  async #verify(name: string, room: LocalRoom): Promise<void> {
    const { shared, owner } = this.#options;
    const [startedAt, doubts] = [Date.now(), this.#doubts];
    const registered = new Set(await shared.registered(name, owner));
    for (const subject of registered) if (!room.sockets.has(subject)) room.unregistered.add(subject);
    for (const subject of room.sockets.keys()) if (!registered.has(subject)) room.unregistered.add(subject);
    if (doubts === this.#doubts) room.verifiedAt = startedAt;
    if (room.unregistered.size > 0) this.soon();
  }
}

async function inChunks<T, R>(all: readonly T[], act: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let start = 0; start < all.length; start += roomsAtOnce) {
    results.push(...(await Promise.all(all.slice(start, start + roomsAtOnce).map(act))));
  }
  return results;
}

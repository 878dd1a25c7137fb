import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { assertConnected, connectedRedis, loggedReason, RedisAwayError } from '../redis/access.ts';
import type { BackplaneLinks } from '../redis/backplane.ts';
import { NamedScript } from '../redis/script.ts';
import type { ScriptValue } from '../redis/script-command.ts';
import { type DenyList, DenyListError, fullList, mostEntries } from './deny-list.ts';
import { Entries, type EntryState, shifted, unsaid } from './entries.ts';
import { type DenyListKeys, denyListKeys } from './keys.ts';

export interface RedisDenyListOptions {
  readonly links: BackplaneLinks;
  readonly deployment: string;
  /** As of `DenialsOptions`. @default false */
  readonly servesAlone?: boolean;
  readonly log: Pick<Logger, 'warn' | 'info'>;
  /** How often it is looked whether Redis still has what it had, in milliseconds. @default 2,000 */
  readonly lookEveryMs?: number;
}

const change = new NamedScript(
  { keys: ['states', 'ends', 'version'], args: ['channel', 'highestStamp', 'mostEntries'] },
  new URL('./scripts/change.lua', import.meta.url),
);
const head = new NamedScript({ keys: ['version'], args: [] }, new URL('./scripts/head.lua', import.meta.url));

/**
 * A lift is known for at least so long, in milliseconds, where nobody says how long the denial was to last: an instance
 * that was away for a day has been replaced.
 */
const liftedForMs = 86_400_000;
/** Entries that are written, or read, in one call: a millisecond or two of Redis. */
const atOnce = 500;
/** What was changed just now is heard so much later at most, in milliseconds; else the subscription lost it. */
const hearingMs = 1_000;
/** Clocks drift: an end that is so much later here, in milliseconds, is the same. `change.lua` has it too. */
const driftMs = 60_000;

/**
 * Kept in Redis and published on a channel. Each instance holds a copy, which stands while Redis is away, and writes
 * back what Redis has lost since: a denial ends when its time is over or when it is lifted, and by nothing else.
 *
 * Each change has a version and names the one before it. An instance whose version is Redis's own has all of it; any
 * other version, larger or smaller, makes it read the list and bring what is missing there.
 */
export class RedisDenyList implements DenyList {
  readonly #options: RedisDenyListOptions;
  readonly #keys: DenyListKeys;
  readonly #entries = new Entries();
  readonly #timer: NodeJS.Timeout;
  readonly #closing = new AbortController();
  /** Of the last change that was heard without a gap before it. */
  #version: number | undefined;
  /** The versions that were heard since the last look at Redis. */
  #heard = new Set<number>();
  #highestStamp = 0;
  #isKnown = false;
  #isLooking = false;
  #looksAgain = false;
  #isFaulty = false;
  /** The entries that were heard of while they are written back from here. */
  #heardEntries: Set<string> | undefined;

  constructor(options: RedisDenyListOptions) {
    this.#options = options;
    this.#keys = denyListKeys(options.deployment);
    const { links, lookEveryMs = 2_000 } = options;
    const look = () => void this.#look();
    void links.channels
      .follow(this.#keys.channel, {
        received: (payload) => this.#received(payload.toString()),
        resubscribed: look,
      })
      .then(look);
    this.#timer = setInterval(look, lookEveryMs).unref();
    const endLooking = links.onReturn((has) => has(this.#keys.states) && look());
    this.#closing.signal.addEventListener('abort', endLooking);
  }

  get isKnown(): boolean {
    const { servesAlone = false, links } = this.#options;
    return this.#isKnown || (servesAlone && connectedRedis(links, this.#keys.states) === undefined);
  }

  async deny(entry: string, forMs: number): Promise<void> {
    await this.#say(entry, ['new', Math.ceil(forMs), 0, 0]);
  }

  async lift(entry: string): Promise<void> {
    // Redis may have lost what is held here.
    const heldForMs = Math.ceil(this.#entries.get(entry).deniedUntil - this.#entries.now());
    await this.#say(entry, [0, 0, 'new', Math.max(liftedForMs, heldForMs)]);
  }

  denies(entry: string): boolean {
    return this.#entries.denies(entry);
  }

  onDenied(handler: (entries: ReadonlySet<string>) => void): void {
    this.#entries.onDenied(handler);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#closing.abort();
    this.#options.links.channels.unsubscribe(this.#keys.channel);
    this.#entries.close();
  }

  async #say(entry: string, said: readonly ScriptValue[]): Promise<void> {
    try {
      await this.#change(assertConnected(this.#options.links, this.#keys.states), [entry, ...said]);
    } catch (error) {
      if (error instanceof DenyListError) throw error;
      if (error instanceof RedisAwayError) throw new DenyListError(error.message);
      this.#options.log.warn(loggedReason(error as Error), 'Redis did not take a change of the deny list');
      throw new DenyListError('Redis did not take it: the log says why');
    }
  }

  /** @param groups as the script wants them @throws DenyListError when the list is full */
  async #change(connection: Redis, groups: readonly ScriptValue[]): Promise<void> {
    const args = { channel: this.#keys.channel, highestStamp: this.#highestStamp, mostEntries };
    const reply = await change.run(connection, this.#keys, args, groups);
    if (!Array.isArray(reply)) throw fullList();
    const [now, ...states] = reply as string[];
    // Here at once, whenever the channel says it.
    for (const [index, state] of states.entries()) this.#take(String(groups[index * 5]), state, Number(now));
  }

  /** `before:version:now:` and the state and its entry, as `change.lua` publishes them. */
  #received(payload: string): void {
    const [, before, version, now, state, entry] = published.exec(payload) ?? [];
    if (entry === undefined) return;
    this.#take(entry, state as string, Number(now));
    this.#heardEntries?.add(entry);
    if (Number(before) !== this.#version) return;
    this.#version = Number(version);
    this.#heard.add(this.#version);
  }

  /** @returns the state as it is here now, by this clock; undefined where it is none */
  #take(entry: string, text: string, redisNow: number): EntryState | undefined {
    const said = readState(text);
    if (!said || this.#entries.size >= 2 * mostEntries) return undefined;
    this.#highestStamp = Math.max(this.#highestStamp, said.deniedAt, said.liftedAt);
    return this.#entries.take(entry, shifted(said, this.#entries.now() - redisNow));
  }

  async #look(): Promise<void> {
    // Who asks while a look is under way may know of something that it has passed already.
    this.#looksAgain = this.#isLooking;
    if (this.#isLooking) return;
    this.#isLooking = true;
    await this.#catchUp();
    this.#isLooking = false;
    if (this.#looksAgain && !this.#closing.signal.aborted) await this.#look();
  }

  async #catchUp(): Promise<void> {
    const connection = connectedRedis(this.#options.links, this.#keys.states);
    if (!connection) return;
    this.#entries.forgetOver();
    try {
      if (await this.#isCurrent(connection)) return;
      await this.#readAll(connection);
      if (this.#isFaulty) this.#options.log.info('the deny list can be read again');
      this.#isFaulty = false;
      this.#isKnown = true;
    } catch (error) {
      this.#version = undefined;
      if (!this.#isFaulty)
        this.#options.log.warn(
          loggedReason(error as Error),
          'could not read the deny list: the last known stands',
        );
      this.#isFaulty = true;
    }
  }

  /** Has this instance all that Redis has? What is on its way is waited for. */
  async #isCurrent(connection: Redis): Promise<boolean> {
    if (this.#version === undefined) return false;
    this.#heard = new Set([this.#version]);
    const { version } = await headOf(connection, this.#keys);
    const until = performance.now() + hearingMs;
    const mayCome = () => version > (this.#version ?? version) && performance.now() < until;
    while (!this.#heard.has(version) && mayCome()) await pause(20);
    return this.#heard.has(version);
  }

  async #readAll(connection: Redis): Promise<void> {
    const { now, version } = await headOf(connection, this.#keys);
    // What changes from here on is heard on the channel, and goes on from this version.
    this.#version = version;
    const read = new Map<string, EntryState>();
    const offset = this.#entries.now() - now;
    let cursor = '0';
    do {
      const [next, fields] = await connection.hscan(this.#keys.states, cursor, 'COUNT', atOnce);
      for (let i = 0; i < fields.length; i += 2) {
        const [entry, text] = [fields[i] as string, fields[i + 1] as string];
        this.#take(entry, text, now);
        const state = readState(text);
        if (state) read.set(entry, shifted(state, offset));
      }
      cursor = next;
    } while (cursor !== '0');
    await this.#bringBack(connection, read);
  }

  /** Writes what is known here and not in Redis; several instances do so at once, and share the work by chance. */
  async #bringBack(connection: Redis, read: ReadonlyMap<string, EntryState>): Promise<void> {
    const missing = [...this.#entries.current()].filter(([entry, own]) => !covers(read.get(entry), own));
    if (missing.length === 0) return;
    this.#options.log.warn(`Redis lost ${missing.length} entries of the deny list: they are written back`);
    const rest = shuffled(missing.map(([entry]) => entry));
    const heard = new Set<string>();
    this.#heardEntries = heard;
    try {
      while (rest.length > 0 && !this.#closing.signal.aborted) {
        const groups = rest
          .splice(0, atOnce)
          .filter((entry) => !heard.has(entry))
          .flatMap((entry) => [entry, ...this.#remainsOf(entry)]);
        if (groups.length > 0) await this.#change(connection, groups);
      }
    } finally {
      this.#heardEntries = undefined;
    }
  }

  /** A state as the script takes it, which knows nothing of this clock. */
  #remainsOf(entry: string): [deniedAt: number, forMs: number, liftedAt: number, forMs: number] {
    const { deniedAt, deniedUntil, liftedAt, liftedUntil } = this.#entries.get(entry);
    const [denied, lifted] = [deniedUntil, liftedUntil].map((until) =>
      Math.ceil(until - this.#entries.now()),
    );
    return [
      ...((denied as number) > 0 ? [deniedAt, denied as number] : [0, 0]),
      ...((lifted as number) > 0 ? [liftedAt, lifted as number] : [0, 0]),
    ] as [number, number, number, number];
  }
}

/** Does the list of Redis say all that is known here of an entry? */
function covers(read: EntryState = unsaid, own: EntryState): boolean {
  return (
    own.deniedAt <= read.deniedAt &&
    own.deniedUntil <= read.deniedUntil + driftMs &&
    own.liftedAt <= read.liftedAt
  );
}

const published = /^(\d+):(\d+):(\d+):(\d+:\d+:\d+:\d+):(.+)$/s;

function readState(text: string): EntryState | undefined {
  const [, ...numbers] = /^(\d+):(\d+):(\d+):(\d+)$/.exec(text) ?? [];
  if (numbers.length === 0) return undefined;
  const [deniedAt, deniedUntil, liftedAt, liftedUntil] = numbers.map(Number) as [
    number,
    number,
    number,
    number,
  ];
  return { deniedAt, deniedUntil, liftedAt, liftedUntil };
}

/** @returns the time by Redis's clock, and the version; 0: there is no list */
async function headOf(connection: Redis, keys: DenyListKeys): Promise<{ now: number; version: number }> {
  const [now, version] = (await head.run(connection, keys, {})) as [string, string];
  return { now: Number(now), version: Number(version) };
}

function shuffled<T>(values: readonly T[]): T[] {
  const drawn = values.map((value) => ({ value, at: Math.random() }));
  return drawn.sort((one, other) => one.at - other.at).map(({ value }) => value);
}

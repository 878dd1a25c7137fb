import type { Logger } from 'pino';
import type { Socket } from 'socket.io';
import type { PresenceAnswer, PresencePlace } from '../../protocol/hub.ts';
import type { Leases } from '../leases/leases.ts';
import type { MembershipListener } from '../rooms/rooms.ts';
import { LocalPresence } from './local.ts';
import { Registrar } from './registrar.ts';
import type { PresenceStore, Whisper } from './store.ts';

export interface PresenceOptions {
  /** `openRedisPresence` or `openMemoryPresence`. */
  readonly store: PresenceStore;
  readonly hub: string;
  readonly leases: Leases;
  readonly subjectOf: (socket: Socket) => string;
  /** `AttachedRooms.whisper`. */
  readonly whisper: Whisper;
  readonly log: Logger;
  /**
   * How long after its last socket a subject's leave is told, in milliseconds: longer than it takes to come back
   * on another instance. @default 10,000: five tries of a client, at 0.2 to 5 s
   */
  readonly graceMs?: number;
}

/** Who is in a hub's rooms, over all instances. */
export interface Presence extends MembershipListener {
  /** @param known what the caller has: answered without members where that is still so */
  members(room: string, known?: PresencePlace): Promise<PresenceAnswer>;
  /** Registers what is left to say; who is still here leaves after the grace, or is on another instance by then. */
  close(): Promise<void>;
}

const defaultGraceMs = 10_000;
/** How long an owner has been silent at least when its lease has ended, in milliseconds: a part of its grace. */
const silentAtLeastMs = 5_000;
/** What a survivor needs at most to register who came to it, in milliseconds. */
const leastGraceMs = 2_000;
const tickEveryMs = 1_000;

export function openPresence(options: PresenceOptions): Presence {
  return new SharedPresence(options);
}

class SharedPresence implements Presence {
  readonly #options: PresenceOptions;
  readonly #local = new LocalPresence();
  readonly #registrar: Registrar;
  readonly #reads = new Map<string, Promise<PresenceAnswer>>();
  readonly #timer: NodeJS.Timeout;
  readonly #ends: readonly (() => void)[];
  readonly #graceMs: number;
  #isClosed = false;

  constructor(options: PresenceOptions) {
    const { store, hub, whisper, leases, log, graceMs = defaultGraceMs } = options;
    this.#options = options;
    this.#graceMs = graceMs;
    const shared = store.open({ hub, whisper, graceMs });
    this.#registrar = new Registrar({ shared, local: this.#local, owner: leases.owner, log });
    const graceOfDead = Math.min(graceMs, Math.max(leastGraceMs, graceMs - silentAtLeastMs));
    this.#ends = [
      leases.onDead((owner) => shared.release(owner, graceOfDead, 'all')),
      leases.onRenewed(() => this.#registrar.verifyAll()),
      store.onReturn(() => this.#registrar.verifyAll()),
    ];
    this.#timer = setInterval(() => void this.#registrar.tick(), tickEveryMs);
  }

  // An arrow, as `left`: both are handed to `attachRooms` as they are.
  joined = (socket: Socket, room: string): void => {
    if (this.#isClosed) return;
    if (this.#local.enter(room, this.#options.subjectOf(socket))) this.#registrar.soon();
  };

  left = (socket: Socket, room: string): void => {
    if (this.#isClosed) return;
    if (this.#local.exit(room, this.#options.subjectOf(socket))) this.#registrar.soon();
  };

  members(room: string, known?: PresencePlace): Promise<PresenceAnswer> {
    // Clients that come together ask together: one read serves them all.
    const key = JSON.stringify([room, known?.epoch, known?.version]);
    const underWay = this.#reads.get(key);
    if (underWay) return underWay;
    const read = this.#read(room, known).finally(() => this.#reads.delete(key));
    this.#reads.set(key, read);
    return read;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#timer);
    for (const end of this.#ends) end();
    await this.#registrar.close(this.#graceMs);
  }

  async #read(room: string, known?: PresencePlace): Promise<PresenceAnswer> {
    const answer = await this.#registrar.members(room, known);
    // Whoever asks is in the room: where nobody is registered, Redis has lost that, or does not know it yet.
    if (answer && answer.epoch !== '') return this.#withOwn(room, answer);
    return { epoch: '', version: 0, members: this.#local.subjectsOf(room), partial: true };
  }

  /** Who has just come is registered a moment later: without them an asker would not find itself. */
  #withOwn(room: string, answer: PresenceAnswer): PresenceAnswer {
    if (!answer.members) return answer;
    return { ...answer, members: [...new Set([...answer.members, ...this.#local.subjectsOf(room)])] };
  }
}

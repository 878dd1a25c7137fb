import type { Logger } from 'pino';
import type { PresencePosition, PresenceReply } from '../../protocol/hub.ts';
import type { Leases } from '../leases/leases.ts';
import type { Member } from '../rooms/member.ts';
import type { MembershipListener } from '../rooms/rooms.ts';
import { LocalPresence } from './local.ts';
import { type MemberList, MemberLists } from './member-lists.ts';
import { Registrar } from './registrar.ts';
import type { BroadcastEvent, PresenceStore } from './store.ts';

export interface PresenceOptions {
  /** `openRedisPresence` or `openMemoryPresence`. */
  readonly store: PresenceStore;
  readonly hub: string;
  readonly leases: Leases;
  /** `HubRooms.broadcast`. */
  readonly broadcast: BroadcastEvent;
  readonly log: Logger;
  /**
   * How long after its last socket a subject's leave is published, in milliseconds: longer than it takes to come back
   * on another instance. @default 10,000: five tries of a client, at 0.2 to 5 s
   */
  readonly graceMs?: number;
}

/** All that presence asks of a member: several of one subject are one. */
type PresentMember = Pick<Member, 'subject'>;

/** Who is in a hub's rooms, over all instances. */
export interface Presence extends MembershipListener {
  joined(member: PresentMember, room: string): void;
  left(member: PresentMember, room: string): void;
  /** @param known what the caller has: answered without members where that is still so */
  members(room: string, known?: PresencePosition): Promise<PresenceReply>;
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
  readonly #local = new LocalPresence();
  readonly #registrar: Registrar;
  readonly #lists: MemberLists;
  /** Lists with those of this instance, made once for all who are given them. */
  readonly #completed = new WeakMap<
    MemberList,
    { readonly changes: number; readonly answer: PresenceReply }
  >();
  readonly #timer: NodeJS.Timeout;
  readonly #ends: readonly (() => void)[];
  readonly #graceMs: number;
  #isClosed = false;

  constructor(options: PresenceOptions) {
    const { store, hub, broadcast, leases, log, graceMs = defaultGraceMs } = options;
    this.#graceMs = graceMs;
    const shared = store.open({ hub, broadcast, graceMs });
    this.#registrar = new Registrar({ shared, local: this.#local, leases, log });
    this.#lists = new MemberLists((room, known) => this.#registrar.members(room, known));
    const graceOfDead = Math.min(graceMs, Math.max(leastGraceMs, graceMs - silentAtLeastMs));
    this.#ends = [
      leases.onExpired((owner) => shared.release(owner, graceOfDead, 'all')),
      leases.onRenewed(() => this.#registrar.verifyAll()),
      store.onReturn((mayLack) => this.#registrar.verifyAll((room) => mayLack(hub, room))),
    ];
    this.#timer = setInterval(() => void this.#registrar.tick(), tickEveryMs);
  }

  // An arrow, as `left`: both are handed to the rooms as they are.
  joined = ({ subject }: PresentMember, room: string): void => {
    if (this.#isClosed) return;
    if (this.#local.enter(room, subject)) this.#registrar.soon();
  };

  left = ({ subject }: PresentMember, room: string): void => {
    if (this.#isClosed) return;
    if (this.#local.exit(room, subject)) this.#registrar.soon();
  };

  async members(room: string, known?: PresencePosition): Promise<PresenceReply> {
    const list = await this.#lists.of(room);
    // Whoever asks is in the room: where nobody is registered, Redis has lost that, or does not know it yet.
    if (!list || list.epoch === '') {
      return { epoch: '', version: 0, members: this.#local.subjectsOf(room), partial: true };
    }
    const { epoch, version } = list;
    return known?.epoch === epoch && known.version === version
      ? { epoch, version }
      : this.#complete(room, list);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#timer);
    for (const end of this.#ends) end();
    await this.#registrar.close(this.#graceMs);
  }

  /** Who has just come is registered a moment later: without them an asker would not find itself. */
  #complete(room: string, list: MemberList): PresenceReply {
    const changes = this.#local.changesOf(room);
    const made = this.#completed.get(list);
    if (made?.changes === changes) return made.answer;
    const registered = new Set(list.members);
    const missing = this.#local.subjectsOf(room).filter((subject) => !registered.has(subject));
    const answer = missing.length === 0 ? list : { ...list, members: [...list.members, ...missing] };
    this.#completed.set(list, { changes, answer });
    return answer;
  }
}

import type { PresenceAnswer, PresenceChange, PresencePlace } from '../protocol/hub.ts';
import { Backoff } from './backoff.ts';
import { call } from './call.ts';
import type { HubSocket } from './connect.ts';
import type { HubError } from './errors.ts';

export interface PresenceDifference {
  readonly joined: readonly string[];
  readonly left: readonly string[];
}

/**
 * Called with all members of the room as they are now, and what differs from the call before. The first call has
 * all of them in `joined`.
 */
export type OnPresence = (members: readonly string[], difference: PresenceDifference) => void;

/** A change is told at most once: so often the list is compared with the service's, in milliseconds. */
const compareEveryMs = 30_000;
/** While the service knows only a part of the members. */
const askAgainMs = 3_000;
const longestPauseMs = 10_000;
/** Changes that wait for an answer; beyond it the members are asked for once more instead. */
const mostHeld = 1_000;

/** Who is in a room that this client has joined: right through lost changes, reconnects and other instances. */
export class PresenceList {
  readonly room: string;
  readonly #socket: HubSocket;
  readonly #onChange: OnPresence;
  readonly #members = new Set<string>();
  #place: PresencePlace | undefined;
  #wasTold = false;
  #held: PresenceChange[] = [];
  #isAsking = false;
  #askAgain = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(room: string, socket: HubSocket, onChange: OnPresence) {
    this.room = room;
    this.#socket = socket;
    this.#onChange = onChange;
    if (socket.connected) this.ask();
  }

  get members(): readonly string[] {
    return [...this.#members];
  }

  /** Called with every `presence` event of the hub. */
  heard(change: PresenceChange): void {
    if (this.#closed) return;
    if (!this.#isAsking && this.#follows(change)) this.#apply(change);
    else if (!this.#isOld(change)) this.#hold(change);
  }

  /** After each connect, and wherever a change is missing. */
  ask(): void {
    this.#askAgain = true;
    if (!this.#isAsking && !this.#closed) void this.#askUntilLevel();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #askUntilLevel(): Promise<void> {
    const backoff = new Backoff(longestPauseMs);
    this.#isAsking = true;
    clearTimeout(this.#timer);
    let nextMs = compareEveryMs;
    try {
      while (this.#askAgain && !this.#closed && this.#socket.connected) {
        this.#askAgain = false;
        try {
          nextMs = (await this.#askOnce()) ? compareEveryMs : askAgainMs;
        } catch (error) {
          // `forbidden`: the room is being joined anew on this connection.
          if (!(error as HubError).code) throw error;
          this.#askAgain = true;
        }
        if (this.#askAgain) await backoff.pause();
      }
    } finally {
      this.#isAsking = false;
    }
    // By chance, so that the clients of a room don't ask together.
    if (!this.#closed) this.#timer = setTimeout(() => this.ask(), nextMs * (0.75 + Math.random() / 2));
  }

  /** @returns whether the service knew all members */
  async #askOnce(): Promise<boolean> {
    const request = { room: this.room, ...(this.#place && { known: this.#place }) };
    const answer = await call<PresenceAnswer>(this.#socket, 'presence', request);
    if (this.#closed) return true;
    if (answer.partial) {
      // Better what was known of all than what is known of some.
      if (!this.#place) this.#replace(answer.members ?? []);
      return false;
    }
    this.#place = { epoch: answer.epoch, version: answer.version };
    if (answer.members) this.#replace(answer.members);
    this.#serveHeld();
    return true;
  }

  #hold(change: PresenceChange): void {
    this.#held.push(change);
    if (this.#held.length > mostHeld) {
      this.#held = [];
      this.#askAgain = true;
    }
    if (!this.#isAsking) this.ask();
  }

  #serveHeld(): void {
    for (const change of this.#held.splice(0)) {
      if (this.#follows(change)) this.#apply(change);
      else if (!this.#isOld(change)) this.#askAgain = true;
    }
  }

  #follows({ epoch, version }: PresencePlace): boolean {
    return this.#place?.epoch === epoch && this.#place.version + 1 === version;
  }

  #isOld({ epoch, version }: PresencePlace): boolean {
    return this.#place?.epoch === epoch && version <= this.#place.version;
  }

  #apply({ epoch, version, joined, left }: PresenceChange): void {
    this.#place = { epoch, version };
    this.#become(
      joined.filter((subject) => !this.#members.has(subject)),
      left.filter((subject) => this.#members.has(subject)),
    );
  }

  #replace(members: readonly string[]): void {
    const now = new Set(members);
    this.#become(
      members.filter((subject) => !this.#members.has(subject)),
      [...this.#members].filter((subject) => !now.has(subject)),
    );
  }

  #become(joined: readonly string[], left: readonly string[]): void {
    for (const subject of joined) this.#members.add(subject);
    for (const subject of left) this.#members.delete(subject);
    if (this.#wasTold && joined.length + left.length === 0) return;
    this.#wasTold = true;
    this.#onChange(this.members, { joined, left });
  }
}

import type { PresenceChange, PresencePosition, PresenceReply } from '../protocol/hub.ts';
import type { Notifier } from './connection/notify.ts';
import type { Attempts, Caller } from './requests/call.ts';
import { mayRetry } from './requests/errors.ts';
import { Sync } from './requests/sync.ts';

export interface PresenceDifference {
  readonly joined: readonly string[];
  readonly left: readonly string[];
}

/**
 * Called with all current members of the room, and the difference from the call before. The first call has all of them
 * in `joined`. Its errors are reported as those of all callbacks.
 */
export type OnPresence = (members: readonly string[], difference: PresenceDifference) => void;

/** Changes are sent at most once. So the list is compared with the service's at this interval, in milliseconds. */
const compareEveryMs = 30_000;
/** The interval while the service knows only some of the members, in milliseconds. */
const askAgainMs = 3_000;
const longestPauseMs = 10_000;
/** At most so many changes wait for a reply. Beyond that the list is requested once more instead. */
const mostHeld = 1_000;

/** The members of a room that this client has joined, correct through lost changes, reconnects and other instances. */
export class PresenceList {
  readonly room: string;
  readonly #onChange: OnPresence;
  readonly #notifier: Notifier;
  readonly #sync: Sync;
  readonly #members = new Set<string>();
  #position: PresencePosition | undefined;
  #wasNotified = false;
  #held: PresenceChange[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(room: string, caller: Caller, onChange: OnPresence, notifier: Notifier) {
    this.room = room;
    this.#onChange = onChange;
    this.#notifier = notifier;
    this.#sync = new Sync({
      caller,
      notifier,
      run: (attempts) => this.#ask(attempts),
      // `forbidden`: this connection has not joined the room again yet.
      onError: ({ code }) => code === 'forbidden' || mayRetry(code),
      longestPauseMs,
    });
    if (caller.connected) this.ask();
  }

  get members(): readonly string[] {
    return [...this.#members];
  }

  /** Called with every `presence` event of the hub. */
  heard(change: PresenceChange): void {
    if (this.#closed) return;
    if (!this.#sync.isRunning && this.#follows(change)) this.#apply(change);
    else if (!this.#isOld(change)) this.#hold(change);
  }

  /** Called after each connect, and when a change is missing. */
  ask(): void {
    this.#sync.request();
  }

  close(): void {
    this.#closed = true;
    this.#sync.close();
    clearTimeout(this.#timer);
  }

  async #ask(attempts: Attempts): Promise<void> {
    clearTimeout(this.#timer);
    const request = { room: this.room, ...(this.#position && { known: this.#position }) };
    const reply = await attempts.call<PresenceReply>('presence', request);
    if (this.#closed) return;
    // Random, so that the clients of a room don't ask at the same moment.
    const nextMs = (reply.partial ? askAgainMs : compareEveryMs) * (0.75 + Math.random() / 2);
    this.#timer = setTimeout(() => this.ask(), nextMs);
    // The complete list from before is better than a current part of it.
    if (reply.partial && this.#position) return;
    if (!reply.partial) this.#position = { epoch: reply.epoch, version: reply.version };
    if (reply.members) this.#replace(reply.members);
    if (!reply.partial) this.#applyHeld();
  }

  #hold(change: PresenceChange): void {
    this.#held.push(change);
    if (this.#held.length > mostHeld) this.#held = [];
    else if (this.#sync.isRunning) return;
    this.ask();
  }

  #applyHeld(): void {
    for (const change of this.#held.splice(0)) {
      // A handler may have closed this list in between.
      if (this.#closed) return;
      if (this.#follows(change)) this.#apply(change);
      else if (!this.#isOld(change)) this.ask();
    }
  }

  #follows({ epoch, version }: PresencePosition): boolean {
    return this.#position?.epoch === epoch && this.#position.version + 1 === version;
  }

  #isOld({ epoch, version }: PresencePosition): boolean {
    return this.#position?.epoch === epoch && version <= this.#position.version;
  }

  #apply({ epoch, version, joined, left }: PresenceChange): void {
    this.#position = { epoch, version };
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
    if (this.#wasNotified && joined.length + left.length === 0) return;
    this.#wasNotified = true;
    this.#notifier.notify(this.#onChange, this.members, { joined, left });
  }
}

import type { AttachedRooms } from '../rooms/attach.ts';
import type { Register } from './register.ts';

export interface Ban {
  readonly hub: string;
  readonly room: string;
  readonly subject: string;
}

/** A join that was under way was allowed before: it has ended by then, in milliseconds. */
const joinMs = 2_000;

/** Subjects that may not be in a room, on any instance. */
export class Bans {
  readonly #register: Register;

  /** @param hubs asked at each ban */
  constructor(register: Register, hubs: () => ReadonlyMap<string, Pick<AttachedRooms, 'expel'>>) {
    this.#register = register;
    // Each instance expels once it knows: else who is expelled by one is let in again by another that does not.
    register.onAdded((entry) => {
      const ban = parse(entry);
      if (!ban) return;
      const expel = () => hubs().get(ban.hub)?.expel(ban.room, ban.subject);
      expel();
      setTimeout(() => this.isBanned(ban) && expel(), joinMs).unref();
    });
  }

  /** Out at once, and not in again for so long. @throws RegisterError */
  ban(ban: Ban, forMs: number): Promise<void> {
    return this.#register.add(entryOf(ban), forMs);
  }

  /** @throws RegisterError */
  lift(ban: Ban): Promise<void> {
    return this.#register.remove(entryOf(ban));
  }

  isBanned(ban: Ban): boolean {
    return this.#register.has(entryOf(ban));
  }
}

/** The length tells where the subject ends, whatever characters it has. */
function entryOf({ hub, room, subject }: Ban): string {
  return `ban:${subject.length}:${subject}:${hub}/${room}`;
}

function parse(entry: string): Ban | undefined {
  const [, length, rest] = /^ban:(\d+):(.*)$/s.exec(entry) ?? [];
  if (rest === undefined) return undefined;
  const subject = rest.slice(0, Number(length));
  const [, hub, room] = /^:([^/]+)\/(.*)$/s.exec(rest.slice(Number(length))) ?? [];
  return hub === undefined || room === undefined ? undefined : { hub, room, subject };
}

import type { DenyList } from './deny-list.ts';

export interface Ban {
  readonly hub: string;
  readonly room: string;
  readonly subject: string;
}

/** Subjects of one room. */
export interface BannedSubjects {
  readonly hub: string;
  readonly room: string;
  readonly subjects: ReadonlySet<string>;
}

/** The rooms of a hub on this instance. */
export interface BanningRooms {
  expelHere(room: string, subjects: ReadonlySet<string>): void;
}

/** A join that was under way was allowed before: it has ended by then, in milliseconds. */
const joinMs = 2_000;

/** Subjects that may not be in a room, on any instance. */
export class Bans {
  readonly #list: DenyList;
  readonly #asked: ((ban: Ban) => void)[] = [];

  /** @param hubs asked at each ban */
  constructor(list: DenyList, hubs: () => ReadonlyMap<string, BanningRooms>) {
    this.#list = list;
    // Each instance expels once it knows: else who is expelled by one is let in again by another that does not.
    this.onBanned(({ hub, room, subjects }) => {
      const expel = () => {
        const banned = [...subjects].filter((subject) => this.isBanned({ hub, room, subject }));
        if (banned.length > 0) hubs().get(hub)?.expelHere(room, new Set(banned));
      };
      expel();
      setTimeout(expel, joinMs).unref();
    });
  }

  /** Out at once, and not in again for so long. @throws DenyListError */
  async ban(ban: Ban, forMs: number): Promise<void> {
    await this.#list.deny(entryOf(ban), forMs);
    for (const handler of this.#asked) handler(ban);
  }

  /** @throws DenyListError */
  lift(ban: Ban): Promise<void> {
    return this.#list.lift(entryOf(ban));
  }

  isBanned(ban: Ban): boolean {
    return this.#list.denies(entryOf(ban));
  }

  /** Called for each ban on the one instance that was asked for it. */
  onAsked(handler: (ban: Ban) => void): void {
    this.#asked.push(handler);
  }

  /** Called on every instance, once a room for all of it that were banned at about the same time. */
  onBanned(handler: (banned: BannedSubjects) => void): void {
    this.#list.onDenied((entries) => {
      const rooms = new Map<string, { hub: string; room: string; subjects: Set<string> }>();
      for (const entry of entries) {
        const ban = parse(entry);
        if (!ban) continue;
        const { hub, room, subject } = ban;
        const key = `${hub}/${room}`;
        const banned = rooms.get(key) ?? { hub, room, subjects: new Set() };
        banned.subjects.add(subject);
        rooms.set(key, banned);
      }
      for (const banned of rooms.values()) handler(banned);
    });
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

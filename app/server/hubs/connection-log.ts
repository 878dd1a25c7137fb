import type { Logger } from 'pino';
import type { HubMember } from './member.ts';

/** Lines about a hub's clients that can be followed: each names the connection and its user. */
export class ConnectionLog {
  readonly #hub: string;
  readonly #log: Logger;
  readonly #openedAt = new WeakMap<HubMember, number>();

  constructor(hub: string, log: Logger) {
    this.#hub = hub;
    this.#log = log;
  }

  /**
   * A log of one client, made when it is needed. The connection is named by its id in the hub: Engine.IO's own would
   * let its reader take over a session.
   */
  of({ id, subject }: Pick<HubMember, 'id' | 'subject'>, room?: string): Logger {
    return this.#log.child({
      hub: this.#hub,
      connection: id,
      user: subject,
      ...(room === undefined ? {} : { room }),
    });
  }

  /** Where the log is to be that fine; above it, this costs nothing. */
  connected(member: HubMember): void {
    if (!this.#log.isLevelEnabled('debug')) return;
    this.#openedAt.set(member, Date.now());
    const { transport, address } = member;
    this.of(member).debug({ transport, address }, 'connected');
  }

  disconnected(member: HubMember, reason: string): void {
    const openedAt = this.#openedAt.get(member);
    if (openedAt === undefined) return;
    const { transport, address } = member;
    const lifetimeSeconds = (Date.now() - openedAt) / 1000;
    this.of(member).debug({ reason, lifetimeSeconds, transport, address }, 'disconnected');
  }
}

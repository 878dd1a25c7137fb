import type { Identity } from '../auth/identity.ts';
import type { Member } from '../rooms/member.ts';

/** A client of a hub, by whatever transport it came: a member that was authenticated. */
export interface HubMember extends Member {
  readonly identity: Identity;
  /** Its address, as far as proxies are believed: limits count by it. */
  readonly address: string;
  /** What carries it now, such as `websocket`, for the log. */
  readonly transport: string;
  /**
   * Sends an event to it alone, which its client is to acknowledge.
   * @returns the arguments of the acknowledgement @throws Error when it does not come in time
   */
  request(event: string, args: readonly unknown[], timeoutMs: number): Promise<readonly unknown[]>;
  /** Closes its connection; its client comes back by itself and is asked for a token anew. */
  reconnect(): void;
  /** Closes its connection with a goodbye: its client does not come back by itself. */
  disconnect(): void;
}

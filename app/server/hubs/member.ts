import type { Identity } from '../auth/identity.ts';
import type { Member } from '../rooms/member.ts';

/** A client of a hub, by whatever transport it came: a member that was authenticated. */
export interface HubMember extends Member {
  readonly identity: Identity;
  /** Its address, as far as proxies are believed: limits count by it. */
  readonly address: string;
  /** What carries it now, such as `websocket`, for the log. */
  readonly transport: string;
  /** Closes its connection; its client comes back by itself and is asked for a token anew. */
  reconnect(): void;
  /** Closes its connection with a goodbye: its client does not come back by itself. */
  disconnect(): void;
}

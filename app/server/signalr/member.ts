import { createHash } from 'node:crypto';
import type { Identity } from '../auth/identity.ts';
import { mostBeforeEvent } from '../connections/waiting-bytes.ts';
import type { HubMember } from '../hubs/member.ts';
import { withBase64 } from '../rooms/body/attachments.ts';
import type { FrameFormat } from '../rooms/member.ts';
import { formatOf, type RecordFrame } from './frames.ts';
import type { SignalRConnection } from './hub.ts';
import { jsonProtocol } from './protocol/json.ts';

/** A connection whose handshake is done, as a member of its hub's rooms. */
export class SignalRMember implements HubMember {
  readonly identity: Identity;
  readonly format: FrameFormat;
  readonly #connection: SignalRConnection;

  constructor(connection: SignalRConnection) {
    this.#connection = connection;
    this.identity = connection.identity ?? { subject: connection.id, guest: true };
    this.format = formatOf(connection.protocol ?? jsonProtocol);
  }

  get id(): string {
    return this.#connection.id;
  }

  get subject(): string {
    return this.identity.subject;
  }

  get address(): string {
    return this.#connection.address;
  }

  get transport(): string {
    return this.#connection.transport.name;
  }

  get connected(): boolean {
    return this.#connection.connected;
  }

  get waitingBytes(): number {
    return this.#connection.waitingBytes;
  }

  deliver({ record }: RecordFrame): void {
    this.#connection.write(record);
  }

  offer({ record }: RecordFrame): void {
    if (this.#connection.waitingBytes <= mostBeforeEvent) this.#connection.write(record);
  }

  send(event: string, ...args: readonly unknown[]): void {
    this.#connection.send(event, ...withBase64(args));
  }

  async request(event: string, args: readonly unknown[], timeoutMs: number): Promise<readonly unknown[]> {
    return [await this.#connection.invoke(event, withBase64(args), timeoutMs)];
  }

  terminate(): void {
    this.#connection.terminate();
  }

  reconnect(): void {
    this.#connection.close();
  }

  disconnect(): void {
    this.#connection.dismiss();
  }
}

/**
 * Who a client is where nothing authenticates it: the same over its reconnects, for as long as it gives the same access
 * token, whatever that says; others see its hash alone. A client that gives none is another one at each connect.
 */
export function anonymousIdentity(accessToken: string | undefined): Identity | undefined {
  if (accessToken === undefined) return undefined;
  const hash = createHash('sha256').update(accessToken).digest('base64url');
  return { subject: hash.slice(0, 20), guest: true };
}

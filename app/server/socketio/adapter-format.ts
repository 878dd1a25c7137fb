import type { Namespace } from 'socket.io';
import type { SocketFormat, SocketFrame, SocketMember } from './member.ts';

/**
 * Sends through Socket.IO's public API, encoded once for all members. It makes objects of messages on the way, so
 * numbers have the digits that JavaScript keeps.
 */
export class AdapterFormat implements SocketFormat {
  readonly #namespace: Namespace;

  constructor(namespace: Namespace) {
    this.#namespace = namespace;
  }

  message(text: Buffer): SocketFrame {
    return this.event('message', JSON.parse(text.toString()));
  }

  event(name: string, ...args: readonly unknown[]): SocketFrame {
    return new AdapterFrame(this.#namespace, name, args);
  }
}

/** Collects who is to be sent to, and sends to all of them together. */
export class AdapterFrame implements SocketFrame {
  readonly #namespace: Namespace;
  readonly #event: string;
  readonly #args: readonly unknown[];
  #delivered: string[] = [];
  #offered: string[] = [];

  constructor(namespace: Namespace, event: string, args: readonly unknown[]) {
    this.#namespace = namespace;
    this.#event = event;
    this.#args = args;
  }

  deliverTo({ id }: SocketMember): void {
    this.#delivered.push(id);
  }

  offerTo({ id }: SocketMember): void {
    this.#offered.push(id);
  }

  flush(): void {
    const { local } = this.#namespace;
    if (this.#delivered.length > 0) local.to(this.#delivered).emit(this.#event, ...this.#args);
    if (this.#offered.length > 0) local.to(this.#offered).volatile.emit(this.#event, ...this.#args);
    this.#delivered = [];
    this.#offered = [];
  }
}

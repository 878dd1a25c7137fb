import type { Identity } from '../../auth/identity.ts';
import type { SignalRConnection, SignalRHub } from '../hub.ts';
import { HandshakeError, handshakeResponse, largestHandshake, readHandshake } from '../protocol/handshake.ts';
import type { HubMessage, HubMessageReader, HubProtocol } from '../protocol/messages.ts';
import { findTextRecord, Records } from '../protocol/records.ts';
import type { Transport } from '../transports/transport.ts';
import { ClientResults } from './client-results.ts';
import { Invocations } from './invocations.ts';

/** Milliseconds, as ASP.NET has them. */
export interface ConnectionTimes {
  /** @default 15,000 */
  readonly handshake: number;
  /** A ping is sent when nothing else was for so long. @default 15,000 */
  readonly keepAlive: number;
  /** A client that pings and says nothing for so long is gone. @default 30,000 */
  readonly client: number;
  /** A client's answer to what it was asked. @default 30,000 */
  readonly clientResult: number;
}

export const connectionTimes: ConnectionTimes = {
  handshake: 15_000,
  keepAlive: 15_000,
  client: 30_000,
  clientResult: 30_000,
};

/** Why a connection ended, in the words that metrics and log have for all transports. */
export type EndReason = 'transport close' | 'ping timeout' | 'parse error' | 'forced close';

export interface ConnectionOptions {
  readonly id: string;
  /** Undefined: nobody is authenticated. */
  readonly identity: Identity | undefined;
  /** The client's, as far as proxies are believed. */
  readonly address: string;
  readonly hub: SignalRHub;
  readonly transport: Transport;
  /** Bytes of one message. */
  readonly largestMessage: number;
  /** What may wait for a client that does not read; past it, it is a slow consumer, and its connection ends. */
  readonly maxWaitingBytes: number;
  readonly times: ConnectionTimes;
  /** Called with faults of which the client hears nothing. */
  readonly onFault: (fault: Error, connection: SignalRConnection, target?: string) => void;
  /** Called for each message that the client sent. */
  readonly onMessage: (connection: ServedConnection) => void;
  readonly onHandshakeRefused: () => void;
  readonly onEnd: (connection: ServedConnection, reason: EndReason) => void;
}

/** One client of a hub, by whatever transport and encoding it came. */
export class ServedConnection implements SignalRConnection {
  readonly id: string;
  readonly identity: Identity | undefined;
  readonly address: string;
  readonly openedAt = performance.now();
  readonly #options: ConnectionOptions;
  readonly #handshake = new Records(findTextRecord, largestHandshake);
  readonly #invocations: Invocations;
  readonly #results = new ClientResults((message) => this.#send(message));
  #protocol: HubProtocol | undefined;
  #reader: HubMessageReader | undefined;
  #entered: Promise<void> = Promise.resolve();
  #sentAt = this.openedAt;
  #receivedAt = this.openedAt;
  #pings = false;
  #isLeaving = false;
  #isOver = false;

  constructor(options: ConnectionOptions) {
    const { id, identity, address, hub, transport, onFault } = options;
    this.id = id;
    this.identity = identity;
    this.address = address;
    this.#options = options;
    this.#invocations = new Invocations({
      connection: this,
      hub,
      send: (message) => this.#send(message),
      writable: () => transport.writable(),
      onFault: (fault, target) => onFault(fault, this, target),
    });
  }

  get connected(): boolean {
    return this.#protocol !== undefined && !this.#isOver;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get protocol(): HubProtocol | undefined {
    return this.#protocol;
  }

  get transport(): Pick<Transport, 'name'> {
    return this.#options.transport;
  }

  get waitingBytes(): number {
    return this.#options.transport.waitingBytes;
  }

  send(target: string, ...args: readonly unknown[]): void {
    this.#send({ type: 1, target, arguments: args });
  }

  write(record: Buffer): void {
    if (!this.connected || !this.#mayWrite()) return;
    this.#sentAt = performance.now();
    this.#options.transport.send(record, this.#protocol?.isBinary ?? false);
  }

  invoke(target: string, args: readonly unknown[], timeoutMs?: number): Promise<unknown> {
    if (!this.connected) return Promise.reject(new Error('the connection has ended'));
    return this.#results.ask(target, args, timeoutMs ?? this.#options.times.clientResult);
  }

  /** Bytes from the client, in pieces of any size. */
  receive(bytes: Buffer): void {
    if (this.#isOver) return;
    this.#receivedAt = performance.now();
    try {
      if (this.#reader) this.#read(bytes);
      else this.#shakeHands(bytes);
    } catch (error) {
      if (error instanceof HandshakeError) return void this.#refuseHandshake(error.message);
      this.#options.onFault(error as Error, this);
      this.#endBecause('parse error', 'Connection closed with an error.');
    }
  }

  /** The client asks that something be sent, whatever it is: a client that does not read may not go on so. */
  transportReplied(): void {
    if (!this.#isOver) this.#mayWrite();
  }

  close(discard = false): void {
    if (discard) return void this.terminate();
    if (this.#isOver || this.#isLeaving) return;
    this.#isLeaving = true;
    void this.#leave();
  }

  dismiss(error?: string): void {
    this.#endBecause('forced close', error);
  }

  terminate(reason: EndReason = 'forced close'): void {
    this.#end(reason);
    this.#options.transport.destroy();
  }

  /** Its transport has ended. */
  transportClosed(): void {
    this.#end('transport close');
  }

  /** Looks at the clock. */
  tick(now: number): void {
    const { times, transport } = this.#options;
    if (this.#isOver) return;
    if (!this.#protocol) {
      if (now - this.openedAt >= times.handshake) this.#refuseHandshake('Handshake was canceled.');
      return;
    }
    if (!transport.needsPings) return;
    if (this.#pings && now - this.#receivedAt >= times.client) return void this.#endBecause('ping timeout');
    if (now - this.#sentAt >= times.keepAlive) this.#send({ type: 6 });
  }

  #send(message: HubMessage): void {
    if (this.#protocol) this.write(this.#protocol.encode(message));
  }

  /** Whether more may be written; where not, a slow consumer's connection is ended. It comes back, and reads the log. */
  #mayWrite(): boolean {
    const { transport, maxWaitingBytes, hub } = this.#options;
    if (transport.waitingBytes <= maxWaitingBytes) return true;
    hub.slow?.(this);
    this.terminate();
    return false;
  }

  #shakeHands(bytes: Buffer): void {
    this.#handshake.add(bytes);
    const record = this.#handshake.take();
    if (!record) return;
    const { transport, hub, largestMessage } = this.#options;
    const protocol = readHandshake(record, transport.takesBinary);
    transport.send(handshakeResponse(), false);
    this.#protocol = protocol;
    this.#reader = protocol.createReader(largestMessage);
    this.#entered = this.#enter(hub);
    this.#invocations.waitFor(this.#entered);
    this.#read(this.#handshake.takeRest());
  }

  async #enter(hub: SignalRHub): Promise<void> {
    try {
      await hub.connected?.(this);
    } catch (error) {
      this.#options.onFault(error as Error, this);
      this.#endBecause('forced close', 'Connection closed with an error.');
    }
  }

  #refuseHandshake(error: string): void {
    const { transport, onHandshakeRefused } = this.#options;
    onHandshakeRefused();
    transport.send(handshakeResponse(error), false);
    this.#end('parse error');
    transport.end();
  }

  #read(bytes: Buffer): void {
    for (const message of this.#reader?.read(bytes) ?? []) {
      this.#options.onMessage(this);
      if (this.#isOver) return;
      this.#take(message);
    }
  }

  #take(message: HubMessage): void {
    switch (message.type) {
      case 1:
      case 4:
        return void this.#invocations.invoke(message);
      case 2:
        return void this.#invocations.uploaded(message.invocationId, message.item);
      case 3:
        if (!this.#invocations.uploadEnded(message)) this.#results.answered(message);
        return;
      case 5:
        return void this.#invocations.cancel(message.invocationId);
      case 6:
        this.#pings = true;
        return;
      case 7:
        this.#end('transport close');
        return void this.#options.transport.end();
    }
  }

  async #leave(): Promise<void> {
    if (this.#protocol) await this.#invocations.leave();
    if (this.#isOver) return;
    this.#send({ type: 7, allowReconnect: true });
    this.#end('forced close');
    this.#options.transport.end();
  }

  #endBecause(reason: EndReason, error?: string): void {
    if (this.#isOver) return;
    this.#send({ type: 7, error });
    this.#end(reason);
    this.#options.transport.end();
  }

  #end(reason: EndReason): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const gone = new Error('the connection has ended');
    this.#invocations.end(gone);
    this.#results.end(gone);
    this.#options.onEnd(this, reason);
    // A hub that was not notified of a connection is not notified of its end.
    if (this.#protocol) void this.#entered.then(() => this.#options.hub.disconnected?.(this, reason));
  }
}

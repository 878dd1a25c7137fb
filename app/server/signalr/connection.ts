import type { Identity } from '../auth/identity.ts';
import { HubError, type SignalRHub, type SignalRMethod, UnauthorizedError } from './hub.ts';
import { HandshakeError, handshakeResponse, readHandshake } from './protocol/handshake.ts';
import {
  type Close,
  type Completion,
  type HubMessage,
  type HubMessageReader,
  type HubProtocol,
  type Invocation,
  ProtocolError,
} from './protocol/messages.ts';
import { findTextRecord, Records } from './protocol/records.ts';
import type { Transport } from './transports/transport.ts';
import { Upload } from './upload.ts';

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
  /** What may wait for a client that does not read; past it the connection ends. */
  readonly mostWaitingBytes: number;
  readonly times: ConnectionTimes;
  /** Told of what a client is told nothing of. */
  readonly onFault: (fault: Error, connection: SignalRConnection, target?: string) => void;
  readonly onEnd: (connection: SignalRConnection) => void;
}

/** A handshake has two short properties. */
const largestHandshake = 4_096;
/** Invocations that wait for the one that runs. */
const mostQueued = 5_000;
const mostStreams = 100;
const mostUploads = 100;

interface PendingResult {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** One client of a hub, by whatever transport and encoding it came. */
export class SignalRConnection {
  readonly id: string;
  readonly identity: Identity | undefined;
  readonly address: string;
  readonly #options: ConnectionOptions;
  readonly #handshake = new Records(findTextRecord, largestHandshake);
  readonly #openedAt = performance.now();
  readonly #streams = new Map<string, AbortController>();
  readonly #uploads = new Map<string, Upload>();
  readonly #results = new Map<string, PendingResult>();
  #protocol: HubProtocol | undefined;
  #reader: HubMessageReader | undefined;
  #entered: Promise<void> = Promise.resolve();
  /** One invocation at a time, in order. */
  #queue: Promise<void> = Promise.resolve();
  #queued = 0;
  #sentAt = performance.now();
  #receivedAt = performance.now();
  #pings = false;
  #isOver = false;
  #lastResult = 0;

  constructor(options: ConnectionOptions) {
    this.id = options.id;
    this.identity = options.identity;
    this.address = options.address;
    this.#options = options;
  }

  /** The handshake is done, and the connection has not ended. */
  get connected(): boolean {
    return this.#protocol !== undefined && !this.#isOver;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Undefined until the handshake is done. */
  get protocol(): HubProtocol | undefined {
    return this.#protocol;
  }

  get transport(): Transport['name'] {
    return this.#options.transport.name;
  }

  get waitingBytes(): number {
    return this.#options.transport.waitingBytes;
  }

  /** Calls a method of the client that answers nothing. */
  send(target: string, ...args: readonly unknown[]): void {
    this.#send({ type: 1, target, arguments: args });
  }

  /** Writes a record of its protocol that was made for others, too. */
  write(record: Buffer): void {
    const { transport, mostWaitingBytes } = this.#options;
    if (!this.connected) return;
    if (transport.waitingBytes > mostWaitingBytes) return void this.terminate();
    this.#sentAt = performance.now();
    transport.send(record, this.#protocol?.isBinary ?? false);
  }

  /** Calls a method of the client. @throws Error what the client answered, or that it did not in time */
  invoke(target: string, args: readonly unknown[], timeoutMs?: number): Promise<unknown> {
    if (!this.connected) return Promise.reject(new Error('the connection has ended'));
    this.#lastResult += 1;
    const invocationId = `s${this.#lastResult}`;
    const after = timeoutMs ?? this.#options.times.clientResult;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#results.delete(invocationId);
        reject(new Error(`the client did not answer '${target}' within ${after} ms`));
      }, after).unref();
      this.#results.set(invocationId, { resolve, reject, timer });
      this.#send({ type: 1, invocationId, target, arguments: args });
    });
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
      this.close({ error: 'Connection closed with an error.' });
    }
  }

  /** Ends the connection behind all that was sent, and says why. */
  close(reason: Omit<Close, 'type'> = {}): void {
    if (this.#isOver) return;
    if (this.#protocol) this.#send({ type: 7, ...reason });
    this.#end();
    this.#options.transport.end();
  }

  /** Ends the connection at once, and drops what waits. Its client comes back by itself, if it was told to. */
  terminate(): void {
    this.#end();
    this.#options.transport.destroy();
  }

  /** Its transport has ended. */
  transportClosed(): void {
    this.#end();
  }

  /** Looks at the clock. */
  tick(now: number): void {
    const { times, transport } = this.#options;
    if (this.#isOver) return;
    if (!this.#protocol) {
      if (now - this.#openedAt >= times.handshake) this.#refuseHandshake('Handshake was canceled.');
      return;
    }
    if (!transport.needsPings) return;
    if (this.#pings && now - this.#receivedAt >= times.client) return void this.close();
    if (now - this.#sentAt >= times.keepAlive) this.#send({ type: 6 });
  }

  #send(message: HubMessage): void {
    if (this.#protocol) this.write(this.#protocol.encode(message));
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
    this.#enqueue(() => this.#entered);
    this.#read(this.#handshake.takeRest());
  }

  async #enter(hub: SignalRHub): Promise<void> {
    try {
      await hub.connected?.(this);
    } catch (error) {
      this.#options.onFault(error as Error, this);
      this.close({ error: 'Connection closed with an error.' });
    }
  }

  #refuseHandshake(error: string): void {
    this.#options.transport.send(handshakeResponse(error), false);
    this.#end();
    this.#options.transport.end();
  }

  #read(bytes: Buffer): void {
    for (const message of this.#reader?.read(bytes) ?? []) {
      if (this.#isOver) return;
      this.#take(message);
    }
  }

  #take(message: HubMessage): void {
    switch (message.type) {
      case 1:
        return void this.#invoked(message);
      case 2:
        return void this.#streamed(message.invocationId, message.item);
      case 3:
        return void this.#completed(message);
      case 4:
        return void this.#streamInvoked(message);
      case 5:
        return void this.#streams.get(message.invocationId)?.abort();
      case 6:
        this.#pings = true;
        return;
      case 7:
        this.#end();
        return void this.#options.transport.end();
    }
  }

  #invoked(message: Invocation): void {
    const uploads = this.#openUploads(message.streamIds);
    if (this.#queued >= mostQueued) throw new ProtocolError('more invocations wait than may');
    this.#enqueue(() => this.#run(message, uploads));
  }

  #enqueue(run: () => Promise<void>): void {
    this.#queued += 1;
    this.#queue = this.#queue.then(async () => {
      this.#queued -= 1;
      if (!this.#isOver) await run();
    });
  }

  async #run(message: Invocation, uploads: readonly Upload[]): Promise<void> {
    const { target, invocationId } = message;
    const complete = (end: Partial<Completion>) => {
      if (invocationId !== undefined) this.#send({ type: 3, invocationId, ...end });
    };
    const method = this.#options.hub.find(target);
    if (method?.kind !== 'invocation') return complete({ error: wrongKind(target, method) });
    try {
      const result = await method.run(this, [...message.arguments, ...uploads]);
      complete(result === undefined ? {} : { hasResult: true, result });
    } catch (error) {
      complete({ error: this.#describe(error as Error, target) });
    } finally {
      this.#closeUploads(message.streamIds);
    }
  }

  #streamInvoked(message: Invocation): void {
    const { target, invocationId } = message;
    if (invocationId === undefined) throw new ProtocolError('a stream invocation has no id');
    const refuse = (error: string) => void this.#send({ type: 3, invocationId, error });
    if (this.#streams.has(invocationId))
      return void refuse(`Invocation ID '${invocationId}' is already in use.`);
    const method = this.#options.hub.find(target);
    if (method?.kind !== 'stream') return void refuse(wrongKind(target, method));
    if (this.#streams.size >= mostStreams) return void refuse(`no more than ${mostStreams} streams at once`);
    const uploads = this.#openUploads(message.streamIds);
    const stop = new AbortController();
    this.#streams.set(invocationId, stop);
    // Behind what the connection waits for, and beside all other invocations.
    this.#enqueue(async () => {
      void this.#stream({ ...message, invocationId }, method, uploads, stop.signal);
    });
  }

  async #stream(
    message: Invocation & { readonly invocationId: string },
    method: Extract<SignalRMethod, { kind: 'stream' }>,
    uploads: readonly Upload[],
    signal: AbortSignal,
  ): Promise<void> {
    const { invocationId, target } = message;
    let error: string | undefined;
    try {
      const items = method.run(this, [...message.arguments, ...uploads], signal);
      for await (const item of until(signal, items)) {
        this.#send({ type: 2, invocationId, item });
        await this.#options.transport.writable();
      }
    } catch (fault) {
      if (!signal.aborted) error = this.#describe(fault as Error, target, true);
    }
    this.#streams.delete(invocationId);
    this.#closeUploads(message.streamIds);
    this.#send({ type: 3, invocationId, ...(error === undefined ? {} : { error }) });
  }

  #openUploads(ids: readonly string[] = []): Upload[] {
    if (this.#uploads.size + ids.length > mostUploads) throw new ProtocolError('more streams than may be');
    return ids.map((id) => {
      if (this.#uploads.has(id)) throw new ProtocolError('a stream id is in use');
      const upload = new Upload();
      this.#uploads.set(id, upload);
      return upload;
    });
  }

  /** Nobody reads them any more: what still comes is left out. */
  #closeUploads(ids: readonly string[] = []): void {
    for (const id of ids) {
      this.#uploads.get(id)?.end();
      this.#uploads.delete(id);
    }
  }

  #streamed(id: string, item: unknown): void {
    if (this.#uploads.get(id)?.push(item) === false) {
      throw new ProtocolError('a stream is longer than its method reads');
    }
  }

  #completed({ invocationId, error, result }: Completion): void {
    const upload = this.#uploads.get(invocationId);
    if (upload) {
      this.#uploads.delete(invocationId);
      return void upload.end(error === undefined ? undefined : new HubError(error));
    }
    const pending = this.#results.get(invocationId);
    if (!pending) return;
    this.#results.delete(invocationId);
    clearTimeout(pending.timer);
    if (error === undefined) pending.resolve(result);
    else pending.reject(new Error(error));
  }

  #describe(error: Error, target: string, isStream = false): string {
    if (error instanceof UnauthorizedError)
      return `Failed to invoke '${target}' because user is unauthorized`;
    if (!(error instanceof HubError)) this.#options.onFault(error, this, target);
    if (isStream) {
      const words = 'An error occurred on the server while streaming results.';
      return error instanceof HubError ? `${words} HubException: ${error.message}` : words;
    }
    return error instanceof HubError
      ? `An unexpected error occurred invoking '${target}' on the server. HubException: ${error.message}`
      : `Failed to invoke '${target}' due to an error on the server.`;
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const gone = new Error('the connection has ended');
    for (const stream of this.#streams.values()) stream.abort();
    for (const upload of this.#uploads.values()) upload.end(gone);
    for (const { reject, timer } of this.#results.values()) {
      clearTimeout(timer);
      reject(gone);
    }
    this.#results.clear();
    this.#options.onEnd(this);
    // Whom it was not told of, it need not be told that he left.
    if (this.#protocol) void this.#entered.then(() => this.#options.hub.disconnected?.(this));
  }
}

function wrongKind(target: string, method: SignalRMethod | undefined): string {
  if (method?.kind === 'stream')
    return `The client attempted to invoke the streaming '${target}' method with a non-streaming invocation.`;
  if (method)
    return `The client attempted to invoke the non-streaming '${target}' method with a streaming invocation.`;
  return `Unknown hub method '${target}'`;
}

/** The items up to the abort, which does not wait for the next one. */
async function* until(signal: AbortSignal, items: AsyncIterable<unknown>): AsyncGenerator<unknown> {
  const iterator = items[Symbol.asyncIterator]();
  const aborted = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), aborted]);
      if (signal.aborted || !next || next.done) return;
      yield next.value;
    }
  } finally {
    // One that waits for something can't be told: its method hears of the signal.
    void Promise.resolve(iterator.return?.()).catch(() => undefined);
  }
}

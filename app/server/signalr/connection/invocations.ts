import { setTimeout as delay } from 'node:timers/promises';
import type { StreamEnd } from '../../hubs/define.ts';
import {
  HubError,
  type SignalRConnection,
  type SignalRHub,
  type SignalRMethod,
  UnauthorizedError,
} from '../hub.ts';
import { type Completion, type HubMessage, type Invocation, ProtocolError } from '../protocol/messages.ts';
import { Upload } from './upload.ts';

export interface InvocationsOptions {
  readonly connection: SignalRConnection;
  readonly hub: SignalRHub;
  readonly send: (message: HubMessage) => void;
  /** Resolves when little waits for the client. */
  readonly writable: () => Promise<void>;
  /** Called with faults of which the client hears nothing. */
  readonly onFault: (fault: Error, target: string) => void;
}

/** Invocations that wait for the one that runs. */
const mostQueued = 5_000;
const mostStreams = 100;
const mostUploads = 100;
/** An instance that leaves waits so long for what runs, in milliseconds; the way out takes a second more. */
const leavingMs = 2_000;
/** As refusals of a hub: their code in front. */
const leavingError = 'unavailable: the instance is leaving, and nothing was done: try again';
const leavingStream = 'unavailable: the instance is leaving: ask for the stream again';

/** What one client calls: invocations one at a time and in order, streams beside them. */
export class Invocations {
  readonly #options: InvocationsOptions;
  readonly #streams = new Map<string, AbortController>();
  readonly #uploads = new Map<string, Upload>();
  #queue: Promise<void> = Promise.resolve();
  #queued = 0;
  #isOver = false;
  #isLeaving = false;

  constructor(options: InvocationsOptions) {
    this.#options = options;
  }

  /** What is called from now on waits for this. */
  waitFor(before: Promise<void>): void {
    this.#enqueue(() => before);
  }

  /** @throws ProtocolError */
  invoke(message: Invocation): void {
    if (message.type === 4) return void this.#invokeStream(message);
    const uploads = this.#openUploads(message.streamIds);
    this.#enqueue(() => this.#run(message, uploads));
  }

  /** The client wants no more of a stream; one that has ended is nobody's. */
  cancel(invocationId: string): void {
    this.#streams.get(invocationId)?.abort('cancelled' satisfies StreamEnd);
  }

  /** An item of a stream that the client sends. @throws ProtocolError */
  uploaded(streamId: string, item: unknown): void {
    if (this.#uploads.get(streamId)?.push(item) === false) {
      throw new ProtocolError('a stream is longer than its method reads');
    }
  }

  /** @returns whether it ended a stream that the client sends */
  uploadEnded({ invocationId, error }: Completion): boolean {
    const upload = this.#uploads.get(invocationId);
    if (!upload) return false;
    this.#uploads.delete(invocationId);
    upload.end(error === undefined ? undefined : new HubError(error));
    return true;
  }

  /**
   * Answers all that was called: what runs is waited for, for a time; what waits, or comes yet, is refused, and
   * nothing was done; streams end with an error.
   */
  async leave(): Promise<void> {
    this.#isLeaving = true;
    this.#abortStreams('leaving');
    const stop = new AbortController();
    const tooLong = delay(leavingMs, undefined, { ref: false, signal: stop.signal }).catch(() => undefined);
    await Promise.race([this.#queue, tooLong]);
    stop.abort();
  }

  end(gone: Error): void {
    this.#isOver = true;
    this.#abortStreams('gone');
    for (const upload of this.#uploads.values()) upload.end(gone);
  }

  #abortStreams(why: StreamEnd): void {
    for (const stream of this.#streams.values()) stream.abort(why);
  }

  #enqueue(run: () => Promise<void>): void {
    if (this.#queued >= mostQueued) throw new ProtocolError('more invocations wait than may');
    this.#queued += 1;
    this.#queue = this.#queue.then(async () => {
      this.#queued -= 1;
      if (!this.#isOver) await run();
    });
  }

  async #run(message: Invocation, uploads: readonly Upload[]): Promise<void> {
    const { target, invocationId } = message;
    const complete = (end: Partial<Completion>) => {
      if (invocationId !== undefined) this.#options.send({ type: 3, invocationId, ...end });
    };
    const { hub, connection } = this.#options;
    const method = hub.find(target);
    if (method?.kind !== 'invocation') return complete({ error: wrongKind(target, method) });
    try {
      if (this.#isLeaving) throw new HubError(leavingError);
      const result = await method.run(connection, [...message.arguments, ...uploads], message.json);
      complete(result === undefined ? {} : { hasResult: true, result });
    } catch (error) {
      complete({ error: this.#describe(error as Error, target) });
    } finally {
      this.#closeUploads(message.streamIds);
    }
  }

  #invokeStream(message: Invocation): void {
    const { target, invocationId } = message;
    if (invocationId === undefined) throw new ProtocolError('a stream invocation has no id');
    const refuse = (error: string) => void this.#options.send({ type: 3, invocationId, error });
    if (this.#streams.has(invocationId))
      return void refuse(`Invocation ID '${invocationId}' is already in use.`);
    const method = this.#options.hub.find(target);
    if (method?.kind !== 'stream') return void refuse(wrongKind(target, method));
    if (this.#streams.size >= mostStreams) return void refuse(`no more than ${mostStreams} streams at once`);
    const uploads = this.#openUploads(message.streamIds);
    const stop = new AbortController();
    this.#streams.set(invocationId, stop);
    if (this.#isLeaving) stop.abort('leaving' satisfies StreamEnd);
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
    const { connection, send, writable } = this.#options;
    let error: string | undefined;
    try {
      if (!signal.aborted) {
        const items = method.run(connection, [...message.arguments, ...uploads], signal, message.json);
        for await (const item of until(signal, items)) {
          send({ type: 2, invocationId, item });
          await writable();
        }
      }
      if (signal.reason === 'leaving') throw new HubError(leavingStream);
    } catch (fault) {
      if (!signal.aborted || signal.reason === 'leaving')
        error = this.#describe(fault as Error, target, true);
    }
    this.#streams.delete(invocationId);
    this.#closeUploads(message.streamIds);
    send({ type: 3, invocationId, ...(error === undefined ? {} : { error }) });
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

  #describe(error: Error, target: string, isStream = false): string {
    if (error instanceof UnauthorizedError)
      return `Failed to invoke '${target}' because user is unauthorized`;
    if (!(error instanceof HubError)) this.#options.onFault(error, target);
    if (isStream) {
      const words = 'An error occurred on the server while streaming results.';
      return error instanceof HubError ? `${words} HubException: ${error.message}` : words;
    }
    return error instanceof HubError
      ? `An unexpected error occurred invoking '${target}' on the server. HubException: ${error.message}`
      : `Failed to invoke '${target}' due to an error on the server.`;
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
    // An iterator that waits can't be interrupted: its method hears of the signal.
    void Promise.resolve(iterator.return?.()).catch(() => undefined);
  }
}

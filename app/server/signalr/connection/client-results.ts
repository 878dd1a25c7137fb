import type { Completion, Invocation } from '../protocol/messages.ts';

interface PendingResult {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** What a client was asked and has not answered yet. It need not answer. */
export class ClientResults {
  readonly #send: (message: Invocation) => void;
  readonly #pending = new Map<string, PendingResult>();
  #last = 0;

  constructor(send: (message: Invocation) => void) {
    this.#send = send;
  }

  /** @throws Error what the client answered, or that it did not in time */
  ask(target: string, args: readonly unknown[], timeoutMs: number): Promise<unknown> {
    this.#last += 1;
    const invocationId = `s${this.#last}`;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(invocationId);
        reject(new Error(`the client did not answer '${target}' within ${timeoutMs} ms`));
      }, timeoutMs).unref();
      this.#pending.set(invocationId, { resolve, reject, timer });
      this.#send({ type: 1, invocationId, target, arguments: args });
    });
  }

  /** An answer to what nobody asked, or asks no more, is left out. */
  answered({ invocationId, error, result }: Completion): void {
    const pending = this.#pending.get(invocationId);
    if (!pending) return;
    this.#pending.delete(invocationId);
    clearTimeout(pending.timer);
    if (error === undefined) pending.resolve(result);
    else pending.reject(new Error(error));
  }

  end(gone: Error): void {
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(gone);
    }
    this.#pending.clear();
  }
}

/** Gets the error that a callback of the application threw, or with which its promise was rejected. */
export type OnError = (error: unknown) => void;

/** Calls all callbacks of the application. An error in one of them is reported, and must not stop a room. */
export class Notifier {
  readonly #onError: OnError;

  /** @param onError @default `reportError` if there is one, else see `reportUncaught` */
  constructor(onError: OnError = reportUncaught) {
    this.#onError = onError;
  }

  /** Never throws. */
  notify<Args extends readonly unknown[]>(
    callback: ((...args: Args) => unknown) | undefined,
    ...args: Args
  ): void {
    attempt(
      () => callback?.(...args),
      (error) => this.report(error),
    );
  }

  /** Reports in a later task, so that the current work is finished first. */
  report(error: unknown): void {
    setTimeout(() =>
      attempt(
        () => this.#onError(error),
        (another) => setTimeout(() => reportUncaught(another)),
      ),
    );
  }
}

/** A callback may be an async function, which fails later. */
function attempt(callback: () => unknown, onError: OnError): void {
  try {
    const returned = callback();
    if (isPromise(returned)) returned.then(undefined, onError);
  } catch (error) {
    onError(error);
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === 'function';
}

/** Globals that only some platforms have. */
interface Surroundings {
  readonly reportError?: (error: unknown) => void;
  readonly process?: { listenerCount?(event: string): number };
}

/**
 * Reports an error as a page reports an exception in an event handler: `window.onerror` gets it, and the page goes on.
 * Node has no such event, so listeners of `uncaughtException` get it there, or the console if there are none. A
 * message that a handler can't read must not end a process.
 *
 * @throws the error, out of the timer that called this
 */
function reportUncaught(error: unknown): void {
  const { reportError, process } = globalThis as Surroundings;
  if (reportError) reportError(error);
  else if (process?.listenerCount?.('uncaughtException')) throw error;
  else console.error(error);
}

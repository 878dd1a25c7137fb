import { type HubConnection, HubConnectionBuilder, LogLevel } from '@microsoft/signalr';
import { Backoff } from '../../../client/connection/backoff.ts';
import { randomId } from '../../../client/connection/random-id.ts';
import { openSignalRHub } from '../../../client/signalr.ts';
import { currentSession, discardToken } from '../session/session.ts';
import type { HubWatcher, OpenHub, RoomsHub } from './use-hub.ts';

/** Opens a hub of the service that served the page with Microsoft's client, as it is. */
export const openOverSignalR: OpenHub<RoomsHub> = (name, watcher) => {
  const kept = new KeptConnection(`/${name}hub`, watcher);
  const hub = openSignalRHub(kept.connection, { onExpired: () => kept.renew() });
  void kept.start();
  return {
    caller: hub.caller,
    join: (room, handlers, options) => hub.join(room, handlers, options),
    leave: (room) => hub.leave(room),
    close: () => {
      hub.close();
      kept.close();
    },
  };
};

/** The longest pause between two tries to connect, in milliseconds. */
const longestPauseMs = 10_000;

/** A connection that is started again whenever it ends. SignalR's own reconnects give up, and begin after a first start. */
class KeptConnection {
  readonly connection: HubConnection;
  readonly #watcher: HubWatcher;
  /** Where nobody is authenticated, it tells the service that a repeated question is of the same window. */
  readonly #anonymous = randomId();
  #token: string | undefined;
  #isClosed = false;

  constructor(path: string, watcher: HubWatcher) {
    this.#watcher = watcher;
    this.connection = new HubConnectionBuilder()
      .withUrl(path, { accessTokenFactory: () => this.#askForToken() })
      .configureLogging(LogLevel.None)
      .build();
    // It comes before the client knows that it is connected, and before all else.
    this.connection.on('welcome', ({ instance }: { instance: string }) => {
      watcher.onInstance(instance);
      watcher.onState('connected');
    });
    this.connection.on('degraded', ({ degraded, rooms }: { degraded: boolean; rooms?: string[] }) =>
      watcher.onState(degraded && !rooms ? 'degraded' : 'connected'),
    );
    this.connection.onclose(() => {
      if (this.#isClosed) return;
      watcher.onState('reconnecting');
      void this.start();
    });
  }

  /** Tries until it is connected, closed, or refused for good. */
  async start(): Promise<void> {
    const backoff = new Backoff(longestPauseMs);
    let refusals = 0;
    while (!this.#isClosed) {
      try {
        return await this.connection.start();
      } catch (error) {
        const { status, message } = failureOf(error);
        if (status === 401) {
          refusals += 1;
          // On a laptop the service has new keys after each start, and the window may have an older token.
          discardToken(this.#token);
        }
        const hasExpired = message.includes('the token has expired');
        const isRefused = status === 403 || (refusals > 1 && !hasExpired);
        if (this.#isClosed) return;
        if (isRefused) return this.#watcher.onState('refused');
        if (refusals > 1) this.#watcher.onState('expired');
      }
      await backoff.pause();
    }
  }

  /** Ends the connection, and begins anew with a new token. */
  renew(): void {
    discardToken(this.#token);
    void this.connection.stop();
  }

  close(): void {
    this.#isClosed = true;
    void this.connection.stop();
    this.#watcher.onState('closed');
  }

  async #askForToken(): Promise<string> {
    this.#token = (await currentSession()).token;
    return this.#token ?? this.#anonymous;
  }
}

/** Why a connection was not started: the client's error has the status of the negotiation in its text alone. */
function failureOf(error: unknown): { readonly status: number | undefined; readonly message: string } {
  const { message } = error as Error;
  const [, status] = /Status code '(\d+)'/.exec(message) ?? [];
  return { status: status === undefined ? undefined : Number(status), message };
}

import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import type { ClientToServer, ServerToClient } from '../../protocol/hub.ts';
import { Backoff } from './backoff.ts';
import { Notifier, type OnError } from './notify.ts';
import { firstTimeoutMs, TransportOrder } from './transports.ts';

export type HubSocket = Socket<ServerToClient, ClientToServer>;

export interface ConnectOptions extends Partial<ManagerOptions & SocketOptions> {
  /**
   * Gets the errors that the application's callbacks throw, `auth` included. @default `reportError` in pages and
   * workers; in Node the listeners of `uncaughtException`, or the console if there are none
   */
  readonly onError?: OnError;
}

/** The longest pause before `auth` is asked again, in milliseconds. The issuer of tokens may be away. */
const longestAuthPauseMs = 10_000;

/**
 * A plain Socket.IO client of one hub, without the delivery contract that `openHub` adds.
 *
 * It tries WebSocket first, so that the load balancer's stickiness matters only where a network blocks or swallows
 * WebSockets and long polling takes over.
 *
 * @param url where the service answers: its scheme, host and port are used
 * @param hub for example `chat`, or a namespace, such as `/`
 * @throws Error if the URL is not valid
 */
export function connectHub(
  url: string,
  hub: string,
  { onError, auth, ...options }: ConnectOptions = {},
): HubSocket {
  const { transports = ['websocket', 'polling'] } = options;
  // `io` may ask for the token at once, if hubs share a connection. Then the socket is not assigned yet.
  let socket: HubSocket | undefined;
  const notifier = new Notifier(onError);
  const handshakes = new Handshakes({
    auth,
    notifier,
    onGiven: () => socket && TransportOrder.of(socket.io).expectReply(),
    isOver: () => socket?.active === false,
  });
  socket = io(`${originOf(url)}${hub.startsWith('/') ? hub : `/${hub}`}`, {
    tryAllTransports: true,
    reconnectionDelay: 200,
    reconnectionDelayMax: 5_000,
    ...(transports.length > 1 && { timeout: firstTimeoutMs }),
    ...options,
    transports: transports as string[],
    auth: (give) => void handshakes.ask(give),
  }) as HubSocket;
  TransportOrder.of(socket.io);
  reportListeners(socket, notifier);
  return socket;
}

/**
 * Socket.IO calls listeners in the middle of its own work. An exception in a `disconnect` listener would keep it from
 * reconnecting.
 */
function reportListeners(socket: HubSocket, notifier: Notifier): void {
  const emitter = socket as unknown as Record<'emitReserved' | 'emitEvent', (...args: unknown[]) => unknown>;
  for (const name of ['emitReserved', 'emitEvent'] as const) {
    const emit = emitter[name];
    emitter[name] = (...args) => notifier.notify(() => emit.apply(socket, args));
  }
}

/** Parsed without `URL`: React Native's puts a slash after a path, which would name another hub. */
function originOf(url: string): string {
  const [origin] = /^(https?|wss?):\/\/[^/?#]+/i.exec(url) ?? [];
  if (origin) return origin;
  throw new Error(`the service's URL must be like https://realtime.example.com, got: ${url}`);
}

type Give = (said: object) => void;

interface HandshakesOptions {
  readonly auth: ConnectOptions['auth'];
  readonly notifier: Notifier;
  /** Called when the token was sent, so the service must reply. */
  readonly onGiven: () => void;
  /** Whether the socket was closed. */
  readonly isOver: () => boolean;
}

/** Asks the application for a token at each connect, and passes on only the answer to the latest request. */
class Handshakes {
  readonly #options: HandshakesOptions;
  #current = 0;

  constructor(options: HandshakesOptions) {
    this.#options = options;
  }

  async ask(give: Give): Promise<void> {
    const { auth, notifier, onGiven, isOver } = this.#options;
    this.#current += 1;
    const own = this.#current;
    // A late token belongs to a connection that is gone. The current connection has asked for its own.
    const giveOnce = (said: object) => {
      if (own !== this.#current) return;
      this.#current += 1;
      give(said);
      onGiven();
    };
    if (typeof auth !== 'function') return giveOnce(auth ?? {});
    const backoff = new Backoff(longestAuthPauseMs);
    while (own === this.#current && !isOver()) {
      try {
        // `auth` may be an async function, which throws later.
        return await auth(giveOnce);
      } catch (error) {
        notifier.report(error);
        await backoff.pause();
      }
    }
  }
}

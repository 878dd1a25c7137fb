import { Manager, type Socket } from 'socket.io-client';
import { type Patience, until } from '../wait.ts';
import { describeError } from './request.ts';

/** One handshake with one hub. */
export interface HubProbe {
  readonly hub: string;
  /**
   * `accepted`: the hub let the client in, with or without a welcome. `no response`: something other than the hub
   * ended it.
   */
  readonly outcome: 'accepted' | 'rejected' | 'no such hub' | 'no response';
  /** Absent if the hub named none, because it let nobody in or is another server's. */
  readonly instance?: string;
  /** The code of a rejection. Absent if it is none of this service. */
  readonly code?: string;
  /** The message, if it was not accepted. */
  readonly words?: string;
}

/**
 * Tries several hubs on one connection, with the same token. If nothing comes by WebSocket, because a proxy may
 * swallow it, they are tried again by polling.
 *
 * @param auth what the handshakes carry
 */
export async function probeHubs(
  url: string,
  hubs: readonly string[],
  auth: object,
  patience: Patience,
): Promise<readonly HubProbe[]> {
  const probes = await probeOver(['websocket', 'polling'], url, hubs, auth, patience);
  const isSilent = probes.every(({ words }) => words === noResponse);
  return isSilent ? probeOver(['polling'], url, hubs, auth, patience) : probes;
}

const noResponse = 'no response in time';

async function probeOver(
  transports: string[],
  url: string,
  hubs: readonly string[],
  auth: object,
  patience: Patience,
): Promise<readonly HubProbe[]> {
  const manager = new Manager(url, {
    transports,
    tryAllTransports: true,
    withCredentials: true,
    reconnection: false,
    // The timeout ends it, with a message of its own.
    timeout: 2 * patience.timeoutMs,
  });
  const handshakes = hubs.map((hub) => new Handshake(manager.socket(`/${hub}`, { auth }), hub));
  try {
    await until(() => handshakes.every(({ isDone }) => isDone), patience);
    return handshakes.map(({ probe }) => probe);
  } finally {
    for (const handshake of handshakes) handshake.end();
    manager._close();
  }
}

interface ConnectError extends Error {
  readonly data?: { readonly code?: string };
}

class Handshake {
  readonly #socket: Socket;
  readonly #hub: string;
  #probe: HubProbe | undefined;

  constructor(socket: Socket, hub: string) {
    this.#socket = socket;
    this.#hub = hub;
    socket.on('welcome', (welcome?: { instance?: unknown }) => {
      const instance = typeof welcome?.instance === 'string' ? { instance: welcome.instance } : {};
      this.#probe = { hub, outcome: 'accepted', ...instance };
    });
    socket.on('connect_error', (error: ConnectError) => {
      const code = error.data?.code === undefined ? {} : { code: error.data.code };
      this.#probe = { hub, outcome: outcomeOf(error), ...code, words: describeError(error) };
    });
  }

  get isDone(): boolean {
    return this.#probe !== undefined;
  }

  get probe(): HubProbe {
    if (this.#probe) return this.#probe;
    if (this.#socket.connected) return { hub: this.#hub, outcome: 'accepted' };
    return { hub: this.#hub, outcome: 'no response', words: noResponse };
  }

  end(): void {
    this.#socket.disconnect();
  }
}

/** A failed connection is an error of each of its namespaces, too. An error of a namespace itself has `data`. */
function outcomeOf(error: ConnectError): HubProbe['outcome'] {
  if (!Object.hasOwn(error, 'data') || error.data?.code === 'unavailable') return 'no response';
  return error.message === 'Invalid namespace' ? 'no such hub' : 'rejected';
}

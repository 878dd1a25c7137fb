import { Manager, type Socket } from 'socket.io-client';
import type { Context } from '../check.ts';
import { until } from '../wait.ts';
import type { BadToken } from './bad-tokens.ts';

export const hubs = ['chat', 'llm', 'bots', 'backtests'] as const;
/** Served only where guests are let in. */
const sometimes = ['fleet'] as const;

/** One handshake with one hub. */
export interface Try {
  readonly what: string;
  readonly hub: string;
  /** Absent: none was told. */
  readonly instance?: string;
  readonly outcome: 'refused' | 'taken' | 'no such hub' | 'no answer';
}

/** One connection, on which every hub is tried with the token. */
export async function knock(
  context: Context,
  url: string,
  { what, auth }: BadToken,
): Promise<readonly Try[]> {
  const manager = new Manager(url, {
    transports: ['websocket', 'polling'],
    tryAllTransports: true,
    withCredentials: true,
    reconnection: false,
  });
  const knocks = [...hubs, ...sometimes].map(
    (hub) => new Knock(manager.socket(`/${hub}`, { auth }), what, hub),
  );
  try {
    await until(() => knocks.every(({ done }) => done), context);
    return knocks.map((each) => each.result);
  } finally {
    for (const each of knocks) each.end();
    manager._close();
  }
}

class Knock {
  readonly #socket: Socket;
  readonly #what: string;
  readonly #hub: string;
  #outcome: Try['outcome'] | undefined;
  #instance: string | undefined;

  constructor(socket: Socket, what: string, hub: string) {
    this.#socket = socket;
    this.#what = what;
    this.#hub = hub;
    socket.on('welcome', ({ instance }: { instance: string }) => {
      this.#instance = instance;
      this.#outcome = 'taken';
    });
    socket.on('connect_error', (error) => {
      this.#outcome = outcomeOf(error);
    });
  }

  get done(): boolean {
    return this.#outcome !== undefined;
  }

  get result(): Try {
    return {
      what: this.#what,
      hub: this.#hub,
      // Connected and without a welcome is in, too.
      outcome: this.#outcome ?? (this.#socket.connected ? 'taken' : 'no answer'),
      ...(this.#instance === undefined ? {} : { instance: this.#instance }),
    };
  }

  end(): void {
    this.#socket.disconnect();
  }
}

interface ConnectError extends Error {
  readonly type?: string;
  readonly data?: { readonly code?: string };
}

/** A connection that fails is told to each of its namespaces too, and is no refusal of theirs. */
function outcomeOf({ type, message, data }: ConnectError): Try['outcome'] {
  if (type === 'TransportError' || message === 'timeout' || data?.code === 'unavailable') return 'no answer';
  return message === 'Invalid namespace' ? 'no such hub' : 'refused';
}

import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HttpTransportType, type HubConnection, type IHttpConnectionOptions } from '@microsoft/signalr';
import type { Redis } from 'ioredis';
import { AuthenticationError } from '../../../../app/server/auth/errors.ts';
import { Relay } from '../../../../app/server/relay/relay.ts';
import {
  HubError,
  type SignalRConnection,
  type SignalRHub,
  UnauthorizedError,
} from '../../../../app/server/signalr/hub.ts';
import { SignalRServer, type SignalRServerOptions } from '../../../../app/server/signalr/server.ts';
import { type Encoding, microsoftClient } from './microsoft-client.ts';

/** One instance that serves a hub for tests. */
export interface Instance {
  readonly name: string;
  readonly url: string;
  readonly http: HttpServer;
  readonly signalr: SignalRServer;
  readonly relay: Relay;
  readonly hub: TestHub;
  /** Faults that its clients are told nothing of. */
  readonly faults: string[];
  /** New connections go to that instance; undefined: they stay. */
  elsewhere: string | undefined;
  /** Ends at once, as a process that is killed does. */
  stop(): Promise<void>;
}

export async function startHubInstance(
  name: string,
  redis: Redis,
  options: Partial<SignalRServerOptions> = {},
): Promise<Instance> {
  const http = createServer((_request, response) => response.writeHead(404).end());
  const relay = new Relay({
    deployment: 'test',
    instance: name,
    redis: () => redis,
    server: http,
    host: () => '127.0.0.1',
    listen: { host: '127.0.0.1', port: 0 },
    largestBody: 100_000,
  });
  const faults: string[] = [];
  const hub = new TestHub(name);
  const signalr = new SignalRServer({
    instance: name,
    keys: relay.keys,
    relay,
    hubs: new Map([['/testhub', hub]]),
    authenticate: (token) => {
      if (token === undefined) throw new AuthenticationError('missing', 'no token');
      if (!token.startsWith('user-')) throw new AuthenticationError('invalid', 'this is no token');
      return { subject: token.slice(5), guest: false };
    },
    cors: ({ headers }) =>
      headers.origin === 'https://evil.example'
        ? undefined
        : { 'access-control-allow-origin': headers.origin ?? '*' },
    addressOf: (request) => request.socket.remoteAddress ?? '',
    takesClients: () => instance.elsewhere === undefined,
    elsewhere: () => instance.elsewhere,
    largestMessage: 100_000,
    maxWaitingBytes: 1_000_000,
    onFault: (fault, _connection, target) => void faults.push(`${target ?? ''}: ${fault.message}`),
    ...options,
  });
  signalr.attach(http);
  await relay.open();
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  let stopped: Promise<void> | undefined;
  const instance: Instance = {
    name,
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    http,
    signalr,
    relay,
    hub,
    faults,
    elsewhere: undefined,
    stop: () => {
      stopped ??= (async () => {
        signalr.close();
        await relay.close();
        http.close();
        http.closeAllConnections();
      })();
      return stopped;
    },
  };
  return instance;
}

/** What clients in tests call. */
export class TestHub implements SignalRHub {
  readonly name: string;
  readonly connections = new Set<SignalRConnection>();
  /** Streams that were told to stop. */
  aborted = 0;

  constructor(name: string) {
    this.name = name;
  }

  connected(connection: SignalRConnection) {
    this.connections.add(connection);
  }

  disconnected(connection: SignalRConnection) {
    this.connections.delete(connection);
  }

  find(target: string): ReturnType<SignalRHub['find']> {
    return this.#methods.get(target.toLowerCase());
  }

  readonly #methods = new Map<string, NonNullable<ReturnType<SignalRHub['find']>>>([
    ['echo', { kind: 'invocation', run: (_connection, [value]) => value }],
    ['add', { kind: 'invocation', run: (_connection, [a, b]) => Number(a) + Number(b) }],
    ['nothing', { kind: 'invocation', run: () => undefined }],
    ['where', { kind: 'invocation', run: () => this.name }],
    ['whoami', { kind: 'invocation', run: ({ identity, id }) => [identity?.subject, id] }],
    ['fail', { kind: 'invocation', run: () => Promise.reject(new Error('a secret')) }],
    ['refuse', { kind: 'invocation', run: () => Promise.reject(new HubError('not now')) }],
    ['forbidden', { kind: 'invocation', run: () => Promise.reject(new UnauthorizedError('no')) }],
    [
      'burst',
      {
        kind: 'invocation',
        run: (connection, [count]) => {
          for (let index = 0; index < Number(count); index += 1) connection.send('Message', index);
        },
      },
    ],
    [
      'sum',
      {
        kind: 'invocation',
        run: async (_connection, args) => {
          let sum = 0;
          for await (const item of args.at(-1) as AsyncIterable<number>) sum += item;
          return sum;
        },
      },
    ],
    ['ask', { kind: 'invocation', run: (connection, [target]) => this.#ask(connection, String(target)) }],
    ['count', { kind: 'stream', run: (_connection, [count]) => upTo(Number(count)) }],
    ['endless', { kind: 'stream', run: (_connection, _args, signal) => this.#endless(signal) }],
    ['broken', { kind: 'stream', run: () => thenBreak() }],
    ['repeat', { kind: 'stream', run: (_connection, args) => args.at(-1) as AsyncIterable<unknown> }],
  ]);

  /** What it asks its own client would otherwise wait for the answer to this invocation. */
  async #ask(connection: SignalRConnection, target: string): Promise<unknown> {
    try {
      return await connection.invoke(target, [21], target === 'silent' ? 100 : 30_000);
    } catch (error) {
      throw new HubError((error as Error).message);
    }
  }

  async *#endless(signal: AbortSignal) {
    signal.addEventListener('abort', () => {
      this.aborted += 1;
    });
    for (let index = 0; ; index += 1) {
      yield index;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

async function* upTo(count: number) {
  for (let index = 0; index < count; index += 1) yield index;
}

async function* thenBreak() {
  yield 1;
  throw new HubError('broken');
}

export const transports = {
  webSockets: HttpTransportType.WebSockets,
  serverSentEvents: HttpTransportType.ServerSentEvents,
  longPolling: HttpTransportType.LongPolling,
} as const;

/** Microsoft's client of the tests' hub. @param url of an instance */
export function clientOf(
  url: string,
  transport: keyof typeof transports,
  encoding: Encoding = 'json',
  options: IHttpConnectionOptions = {},
): HubConnection {
  return microsoftClient(`${url}/testhub`, encoding, {
    transport: transports[transport],
    accessTokenFactory: () => 'user-ada',
    ...options,
  });
}

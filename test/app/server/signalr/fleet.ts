import { HttpTransportType, type HubConnection, type IHttpConnectionOptions } from '@microsoft/signalr';
import { io, type Socket } from 'socket.io-client';
import type { Message } from '../../../../app/protocol/hub.ts';
import { signToken, type TokenClaims } from '../../../../app/server/auth/hmac.ts';
import { freePort } from '../../../../lib/local/processes/ports.ts';
import { isFull as isFullRun } from '../../../support/full-runs.ts';
import { type CookielessProxy, openCookielessProxy } from '../../../support/network/cookieless-proxy.ts';
import { TcpForwarder } from '../../../support/network/tcp-forwarder.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { readiness, startInstance, type TestInstance } from '../../../support/servers/service.ts';
import { eventually } from '../../../support/wait.ts';
import { type Encoding, microsoftClient } from './microsoft-client.ts';

const { WebSockets, ServerSentEvents, LongPolling } = HttpTransportType;

/** What a client of Microsoft's can choose: Server-Sent Events carry text alone. */
export const ways = [
  { name: 'WebSockets with JSON', transport: WebSockets, encoding: 'json' },
  { name: 'WebSockets with MessagePack', transport: WebSockets, encoding: 'messagepack' },
  { name: 'Server-Sent Events with JSON', transport: ServerSentEvents, encoding: 'json' },
  { name: 'long polling with JSON', transport: LongPolling, encoding: 'json' },
  { name: 'long polling with MessagePack', transport: LongPolling, encoding: 'messagepack' },
] as const;
export type Way = (typeof ways)[number];

/** `npm run test:signalr` tries everything by every way, and a run of all tests each thing by one. */
export const isFull = isFullRun('signalr');

const secret = 's'.repeat(32);
const serviceToken = 't'.repeat(32);

export const tokenOf = (sub: string, claims: Partial<TokenClaims> = {}) =>
  signToken({ sub, exp: Date.now() / 1_000 + 600, ...claims }, secret);

export interface ClientOptions extends IHttpConnectionOptions {
  readonly encoding?: Encoding;
  readonly url?: string;
  readonly hub?: string;
  readonly user?: string;
}

export interface Instance extends TestInstance {
  metrics(): Promise<string>;
}

/** Instances of the service as processes, one Redis, and in front a proxy that knows no cookies. */
export class Fleet {
  readonly proxy: CookielessProxy;
  /** Between the instances and Redis. */
  readonly wayToRedis: TcpForwarder;
  readonly instances: Instance[] = [];
  readonly #redis: TestRedis;
  /** Of all instances that there were. */
  readonly #outputs: (() => string)[] = [];
  #opened: (() => unknown)[] = [];
  #kept: (() => unknown)[] = [];
  #started = 0;

  private constructor(redis: TestRedis, wayToRedis: TcpForwarder, proxy: CookielessProxy) {
    this.#redis = redis;
    this.wayToRedis = wayToRedis;
    this.proxy = proxy;
  }

  static async start(count = 3): Promise<Fleet> {
    const redis = await startRedis();
    const wayToRedis = await TcpForwarder.open(() => [redis.port]);
    let next = 0;
    // In turn, so that hardly a request reaches the instance of the one before.
    const proxy = await openCookielessProxy([], (targets) => next++ % targets);
    const fleet = new Fleet(redis, wayToRedis, proxy);
    await Promise.all(Array.from({ length: count }, () => fleet.add()));
    return fleet;
  }

  get output(): string {
    return this.#outputs.map((output) => output()).join('\n');
  }

  /** One instance more, from now on given clients. */
  async add(): Promise<Instance> {
    this.#started += 1;
    const id = `i${this.#started}`;
    const adminPort = await freePort();
    const started = await startInstance(id, {
      REDIS_URL: `redis://127.0.0.1:${this.wayToRedis.port}`,
      AUTH_SECRET: secret,
      SERVICE_TOKEN: serviceToken,
      ADMIN_PORT: String(adminPort),
      LOG_LEVEL: 'debug',
      DRAIN_SECONDS: '1',
    });
    const metrics = async () => (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
    const instance = { ...started, metrics };
    this.instances.push(instance);
    this.#outputs.push(started.output);
    this.#direct();
    return instance;
  }

  /** An instance that dies, and another one that takes its place. */
  async replaceKilled(id: string): Promise<void> {
    const instance = this.#take(id);
    const replaced = this.add();
    await instance.kill('SIGKILL');
    await replaced;
  }

  /** An instance that is asked to leave; the proxy goes on sending it requests. @returns its exit code */
  async replaceLeaving(id: string): Promise<number | NodeJS.Signals> {
    const instance = this.#take(id);
    await this.add();
    this.#direct(instance);
    instance.process.kill('SIGTERM');
    const code = await instance.ended();
    this.#direct();
    return code;
  }

  /** Its client is stopped by `stopClients`. */
  build({
    url = this.proxy.url,
    hub = 'chathub',
    user = 'ada',
    encoding = 'json',
    ...options
  }: ClientOptions): HubConnection {
    const login = { accessTokenFactory: () => tokenOf(user) };
    const client = microsoftClient(`${url}/${hub}`, encoding, { ...login, ...options });
    this.#opened.push(() => client.stop());
    return client;
  }

  async connect(options: ClientOptions = {}): Promise<HubConnection> {
    const client = this.build(options);
    await client.start();
    return client;
  }

  /** A client of Socket.IO's own. */
  socketOf(user: string): Socket {
    const options = { transports: ['websocket'], auth: { token: tokenOf(user) }, forceNew: true };
    const socket = io(`${this.proxy.url}/chat`, options);
    this.#opened.push(() => socket.disconnect());
    return socket;
  }

  /** As a backend does. @param body JSON */
  post(path: string, body: string): Promise<Response> {
    return fetch(`${this.proxy.url}/api${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${serviceToken}`, 'content-type': 'application/json' },
      body,
    });
  }

  publish(room: string, body: unknown): Promise<Response> {
    return this.publishText(room, JSON.stringify({ body }));
  }

  publishText(room: string, text: string): Promise<Response> {
    return this.post(`/hubs/chat/rooms/${encodeURIComponent(room)}/messages`, text);
  }

  /** A series of all instances together. @param series a pattern */
  async sumOf(series: string): Promise<number> {
    const texts = await Promise.all(this.instances.map(({ metrics }) => metrics()));
    const values = texts.map((text) => Number(new RegExp(`^${series} (.+)$`, 'm').exec(text)?.[1] ?? 0));
    return values.reduce((sum, value) => sum + value, 0);
  }

  /** Resolves when every instance has its Redis. */
  async untilJoined(): Promise<void> {
    await eventually('every instance to have its Redis', async () => {
      const all = await Promise.all(this.instances.map(readiness));
      return all.every(({ status }) => status === 'ok');
    });
  }

  /** Runs at the test's end, the last one first. */
  later(close: () => unknown): void {
    this.#opened.push(close);
  }

  /** Clients that there are now outlast the tests. */
  keepClients(): void {
    this.#kept = this.#opened;
    this.#opened = [];
  }

  async stopClients(): Promise<void> {
    const opened = this.#opened.reverse();
    this.#opened = [];
    for (const close of opened) await close();
  }

  async stop(): Promise<void> {
    this.#opened.unshift(...this.#kept);
    await this.stopClients();
    await this.proxy.close();
    await Promise.all(this.instances.map((instance) => instance.kill('SIGKILL')));
    await this.wayToRedis.close();
    await this.#redis.stop();
  }

  #take(id: string): Instance {
    const index = this.instances.findIndex((instance) => instance.id === id);
    const [instance] = this.instances.splice(index, 1);
    return instance as Instance;
  }

  #direct(...besides: readonly Instance[]): void {
    this.proxy.targets = [...this.instances, ...besides].map(({ url }) => url);
  }
}

/** What a client hears of messages. */
export function heardBy(client: HubConnection): unknown[] {
  const bodies: unknown[] = [];
  client.on('message', ({ body }: Message) => void bodies.push(body));
  return bodies;
}

/** The instances that welcome a client, one for each connection. To be called before it starts. */
export function instancesOf(client: HubConnection): string[] {
  const welcomed: string[] = [];
  client.on('welcome', ({ instance }) => void welcomed.push(instance));
  return welcomed;
}

export const messageOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    ({ message }: Error) => message,
  );

/** Past the protocol, as only a faulty client does. */
export async function sendRaw(client: HubConnection, data: string | ArrayBuffer): Promise<void> {
  const { connection } = client as unknown as { connection: { send(data: unknown): Promise<void> } };
  await connection.send(data);
}

interface Streamed<T> {
  readonly items: T[];
  readonly ended: Promise<string>;
  cancel(): void;
}

export function streamOf<T>(client: HubConnection, name: string, ...args: unknown[]): Streamed<T> {
  const items: T[] = [];
  let cancel = () => {};
  const ended = new Promise<string>((resolve) => {
    const subscription = client.stream<T>(name, ...args).subscribe({
      next: (item) => void items.push(item),
      complete: () => resolve('complete'),
      error: ({ message }) => resolve(message),
    });
    cancel = () => subscription.dispose();
  });
  return { items, ended, cancel };
}

export const reconnected = (client: HubConnection) =>
  new Promise<string | undefined>((resolve) => client.onreconnected(resolve));

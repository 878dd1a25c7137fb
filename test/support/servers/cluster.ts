import { io, type Socket } from 'socket.io-client';
import type { ConnectOptions } from '../../../app/client/connection/connect.ts';
import { type ClientHub, openHub } from '../../../app/client/hub.ts';
import { environmentNames } from '../../../app/names.ts';
import { TcpForwarder } from '../network/tcp-forwarder.ts';
import { startInstance, type TestInstance } from './service.ts';

export interface ClusterOptions {
  /** @default 3 */
  readonly instances?: number;
  /** The Redis setting of every instance, or of the one with this number. */
  readonly redis: string | ((number: number) => string);
}

/** WebSockets alone: the forwarder in front knows no cookies. */
const quickReconnect: ConnectOptions = {
  transports: ['websocket'],
  tryAllTransports: false,
  forceNew: true,
  reconnectionDelay: 50,
  reconnectionDelayMax: 500,
};

/** Instances of the built service as processes, and a forwarder in front of those that live. */
export class Cluster {
  readonly instances: TestInstance[] = [];
  readonly front: TcpForwarder;
  readonly #settingOf: (number: number) => string;
  readonly #clients: { close(): unknown }[] = [];
  #started = 0;

  private constructor(front: TcpForwarder, redis: ClusterOptions['redis'], instances: TestInstance[]) {
    this.front = front;
    this.#settingOf = typeof redis === 'string' ? () => redis : redis;
    this.instances = instances;
  }

  static async start({ instances = 3, redis }: ClusterOptions): Promise<Cluster> {
    const living: TestInstance[] = [];
    const front = await TcpForwarder.open(() => living.map(portOf));
    const cluster = new Cluster(front, redis, living);
    await Promise.all(Array.from({ length: instances }, () => cluster.add()));
    living.sort((one, other) => one.id.localeCompare(other.id));
    return cluster;
  }

  /** Where clients connect: each time to the next instance. */
  get url(): string {
    return `http://127.0.0.1:${this.front.port}`;
  }

  /** One instance more, from now on given clients. */
  async add(): Promise<TestInstance> {
    this.#started += 1;
    const number = this.#started;
    const instance = await startInstance(`i${number}`, {
      [environmentNames.redisConnectionString]: this.#settingOf(number),
      [environmentNames.logLevel]: 'info',
    });
    this.instances.push(instance);
    return instance;
  }

  /** What this instance sends to its clients is lost from now on, while what they send arrives. */
  muteAnswers(instance: TestInstance): void {
    const port = portOf(instance);
    this.front.swallow('toClient', ({ targetPort }) => targetPort === port);
  }

  /** Ends an instance; it is given no clients from this moment on. */
  async remove(instance: TestInstance, signal: NodeJS.Signals): Promise<void> {
    this.instances.splice(this.instances.indexOf(instance), 1);
    await instance.kill(signal);
  }

  /** A client with the delivery contract, on any instance. */
  openHub(url = this.url): ClientHub<number> {
    const hub = openHub<number>(url, 'chat', quickReconnect);
    this.#clients.push(hub);
    return hub;
  }

  /** A client without it, on one instance. */
  connect(instance: TestInstance): Socket {
    const socket = io(`${instance.url}/chat`, quickReconnect);
    this.#clients.push(socket);
    return socket;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    await Promise.all(this.instances.splice(0).map((instance) => instance.kill('SIGKILL')));
    await this.front.close();
  }
}

function portOf({ url }: TestInstance): number {
  return Number(new URL(url).port);
}

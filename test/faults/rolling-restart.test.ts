import { HttpTransportType, HubConnectionBuilder, LogLevel } from '@microsoft/signalr';
import { MessagePackHubProtocol } from '@microsoft/signalr-protocol-msgpack';
import type { ConnectOptions } from '../../app/client/connection/connect.ts';
import { openHub } from '../../app/client/hub.ts';
import { openSignalRHub } from '../../app/client/signalr.ts';
import { LoadBalancer } from '../../lib/local/proxy/load-balancer.ts';
import { Audience, type RoomClient } from '../support/clients/audience.ts';
import { nothingLost } from '../support/clients/scene.ts';
import { Traffic } from '../support/clients/traffic.ts';
import { startRedis } from '../support/redis/redis.ts';
import { readHistories } from '../support/redis/room-history.ts';
import { scaled } from '../support/scale.ts';
import { startInstance, type TestInstance } from '../support/servers/service.ts';
import { stoppedAfterwards } from '../support/stopping.ts';
import { eventually } from '../support/wait.ts';

const keep = stoppedAfterwards();
const drainSeconds = 2;
const instances = scaled(2, 3);
const clients = scaled(30, 300);
const rooms = Array.from({ length: 10 }, (_, index) => `room ${index + 1}`);

/** Its own reconnection, as in production; a client that is let go by one instance finds another at once. */
const options: ConnectOptions = { transports: ['websocket'], tryAllTransports: false, forceNew: true };

interface Way {
  readonly transport: HttpTransportType;
  readonly isBinary: boolean;
}
/** Undefined is Socket.IO: every second client. */
const ways: readonly (Way | undefined)[] = [
  { transport: HttpTransportType.WebSockets, isBinary: false },
  undefined,
  { transport: HttpTransportType.ServerSentEvents, isBinary: false },
  undefined,
  { transport: HttpTransportType.LongPolling, isBinary: true },
  undefined,
];

/** Instances behind the local load balancer, which takes them in and out in the order of ECS. */
class Fleet {
  /** Without cookies: a client's requests reach any of them. */
  readonly balancer = new LoadBalancer({ sticky: false });
  readonly clients: { close(): unknown }[] = [];
  comebacks = 0;
  readonly ends: (number | NodeJS.Signals)[] = [];
  readonly #redis: string;
  readonly #instances: TestInstance[] = [];
  #started = 0;

  private constructor(redis: string) {
    this.#redis = redis;
  }

  static async start(redis: string): Promise<Fleet & { readonly url: string }> {
    const fleet = new Fleet(redis);
    const url = `http://127.0.0.1:${await fleet.balancer.listen(0)}`;
    for (let n = 0; n < instances; n += 1) await fleet.add();
    return Object.assign(fleet, { url });
  }

  /** A client of Socket.IO, or of SignalR by each way that it has. */
  async connect(url: string, turn: number): Promise<RoomClient> {
    const way = ways[turn % ways.length];
    if (way) return this.#connectSignalR(url, way, `user-${turn}`);
    const hub = openHub<number>(url, 'chat', options);
    this.clients.push(hub);
    hub.watch((state) => {
      if (state === 'connected') this.comebacks += 1;
    });
    return hub;
  }

  async #connectSignalR(url: string, { transport, isBinary }: Way, user: string): Promise<RoomClient> {
    const builder = new HubConnectionBuilder()
      .withUrl(`${url}/chathub`, { transport, accessTokenFactory: () => user })
      .withAutomaticReconnect({ nextRetryDelayInMilliseconds: () => 100 })
      .configureLogging(LogLevel.None);
    const connection = (isBinary ? builder.withHubProtocol(new MessagePackHubProtocol()) : builder).build();
    const hub = openSignalRHub<number>(connection);
    connection.onreconnected(() => {
      this.comebacks += 1;
    });
    this.clients.push({
      close: () => {
        hub.close();
        return connection.stop();
      },
    });
    await connection.start();
    return hub;
  }

  get instances(): readonly TestInstance[] {
    return this.#instances;
  }

  async add(): Promise<void> {
    this.#started += 1;
    const instance = await startInstance(`i${this.#started}`, {
      REDIS_URL: this.#redis,
      DRAIN_SECONDS: String(drainSeconds),
      EMF_NAMESPACE: 'Test',
    });
    this.#instances.push(instance);
    this.balancer.register({ id: instance.id, host: '127.0.0.1', port: Number(new URL(instance.url).port) });
    await eventually(`${instance.id} to be healthy`, () => this.#statusOf(instance)?.health === 'healthy');
  }

  /** Deregistered, which it learns; cut at the end of the delay; SIGTERM. @returns what it says of its drain */
  async remove(instance: TestInstance): Promise<Drain> {
    const deregistered = this.balancer.deregister(instance.id, 30_000);
    instance.process.kill('SIGUSR2');
    await deregistered;
    this.#instances.splice(this.#instances.indexOf(instance), 1);
    await instance.kill('SIGTERM');
    this.ends.push(await instance.ended());
    return drainOf(instance);
  }

  async stop(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.close()));
    await Promise.all(this.#instances.map((instance) => instance.kill('SIGKILL')));
    await this.balancer.close();
  }

  #statusOf({ id }: TestInstance) {
    return this.balancer.status().find((target) => target.id === id);
  }
}

/**
 * All instances are replaced, one after the other, while clients of Socket.IO and SignalR hear 50 messages a
 * second. None is lost or heard twice; the clients of an instance are sent away over its drain, and all of them come back.
 */
test('a rolling restart: nothing is lost, and clients leave one after the other', async () => {
  const redis = await keep(startRedis());
  const fleet = await keep(Fleet.start(redis.url));
  const audience = new Audience<RoomClient>();
  for (let turn = 0; turn < clients; turn += 1) {
    await audience.join(await fleet.connect(fleet.url, turn), rooms[turn % rooms.length] as string);
  }
  const old = [...fleet.instances];
  const traffic = await keep(Traffic.start(audience));
  let sentAway = 0;
  for (const instance of old) {
    await fleet.add();
    const { connections, seconds } = await fleet.remove(instance);
    sentAway += connections;
    // By the instance's own clock. Few clients take less than all of the drain, and a busy machine takes longer.
    expect(seconds).toBeGreaterThan(drainSeconds / 4);
  }
  const all = (await traffic.end()) + rooms.length;
  await audience.level();
  const report = audience.audit(await readHistories(redis.port, rooms));
  expect(report).toEqual(nothingLost(all, (all * clients) / rooms.length, 0));
  expect(fleet.ends).toEqual(old.map(() => 0));
  expect(sentAway).toBeGreaterThanOrEqual(clients);
  expect(fleet.comebacks).toBeGreaterThanOrEqual(clients);
});

interface Drain {
  /** When it began. */
  readonly connections: number;
  readonly seconds: number;
}

function drainOf(instance: TestInstance): Drain {
  const lines = instance
    .output()
    .split('\n')
    .filter((line) => line.includes('"drain '))
    .map((line) => JSON.parse(line));
  const [started, ended] = ['drain started', 'drain ended'].map((name) =>
    lines.find(({ event }) => event === name),
  );
  return {
    connections: started.connections,
    seconds: (ended._aws.Timestamp - started._aws.Timestamp) / 1_000,
  };
}

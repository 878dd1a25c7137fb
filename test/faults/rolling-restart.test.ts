import type { ConnectOptions } from '../../app/client/connect.ts';
import { type ClientHub, openHub } from '../../app/client/hub.ts';
import { LoadBalancer } from '../../lib/local/proxy/load-balancer.ts';
import { Audience } from '../support/audience.ts';
import { startRedis } from '../support/redis.ts';
import { readHistories } from '../support/room-history.ts';
import { nothingLost } from '../support/scene.ts';
import { startInstance, type TestInstance } from '../support/service.ts';
import { stoppedAfterwards } from '../support/stopping.ts';
import { eventually } from '../support/wait.ts';

const keep = stoppedAfterwards();
const drainSeconds = 2;
const clients = 300;
const rooms = Array.from({ length: 10 }, (_, index) => `room ${index + 1}`);

/** Its own reconnection, as in production; a client that is let go by one instance finds another at once. */
const options: ConnectOptions = { transports: ['websocket'], tryAllTransports: false, forceNew: true };

/** Three instances behind the local load balancer, which takes them in and out in the order of ECS. */
class Fleet {
  readonly balancer = new LoadBalancer();
  readonly hubs: ClientHub<number>[] = [];
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
    for (let n = 0; n < 3; n += 1) await fleet.add();
    return Object.assign(fleet, { url });
  }

  get instances(): readonly TestInstance[] {
    return this.#instances;
  }

  async add(): Promise<void> {
    this.#started += 1;
    const instance = await startInstance(`i${this.#started}`, {
      REDIS_URL: this.#redis,
      DRAIN_SECONDS: String(drainSeconds),
      LOG_LEVEL: 'info',
    });
    this.#instances.push(instance);
    this.balancer.register({ id: instance.id, host: '127.0.0.1', port: Number(new URL(instance.url).port) });
    await eventually(`${instance.id} to be healthy`, () => this.#statusOf(instance)?.health === 'healthy');
  }

  /** Deregistered, which it learns; cut at the end of the delay; SIGTERM. @returns when its connections ended */
  async remove(instance: TestInstance): Promise<number[]> {
    const endedAt: number[] = [];
    let open = this.#statusOf(instance)?.connections ?? 0;
    const timer = setInterval(() => {
      const left = this.#statusOf(instance)?.connections ?? 0;
      for (; open > left; open -= 1) endedAt.push(performance.now());
    }, 10);
    const deregistered = this.balancer.deregister(instance.id, 30_000);
    instance.process.kill('SIGUSR2');
    await deregistered;
    clearInterval(timer);
    this.#instances.splice(this.#instances.indexOf(instance), 1);
    await instance.kill('SIGTERM');
    this.ends.push(await instance.ended());
    return endedAt;
  }

  async stop(): Promise<void> {
    for (const hub of this.hubs) hub.close();
    await Promise.all(this.#instances.map((instance) => instance.kill('SIGKILL')));
    await this.balancer.close();
  }

  #statusOf({ id }: TestInstance) {
    return this.balancer.status().find((target) => target.id === id);
  }
}

/**
 * All of three instances are replaced, one after the other, while 300 clients hear 50 messages a second. None is lost or
 * heard twice; the clients of an instance are sent away over its drain, and not all at once.
 */
test('a rolling restart: nothing is lost, and clients leave one after the other', async () => {
  const redis = await keep(startRedis());
  const fleet = await keep(Fleet.start(redis.url));
  const audience = new Audience();
  const away: number[] = [];
  for (let turn = 0; turn < clients; turn += 1) {
    const hub = openHub<number>(fleet.url, 'chat', options);
    fleet.hubs.push(hub);
    await audience.join(hub, rooms[turn % rooms.length] as string);
    measureAbsence(hub, away);
  }
  const old = [...fleet.instances];
  let restarted = false;
  let published = 0;
  const publishing = (async () => {
    while (!restarted) {
      await audience.publish(50, 50);
      published += 50;
    }
  })();
  const spreads: number[] = [];
  for (const instance of old) {
    await fleet.add();
    const endedAt = await fleet.remove(instance);
    expect(endedAt.length).toBeGreaterThan(20);
    spreads.push((endedAt.at(-1) as number) - (endedAt[0] as number));
    expect(mostWithin(endedAt, 200)).toBeLessThan(endedAt.length / 2);
  }
  restarted = true;
  await publishing;
  await audience.level();
  const report = audience.ledger.check(await readHistories(redis.port, rooms));
  const all = published + rooms.length;
  expect(report).toEqual(nothingLost(all, (all * clients) / rooms.length, 0));
  expect(fleet.ends).toEqual([0, 0, 0]);
  expect(away.length).toBeGreaterThanOrEqual(clients);
  // At least half of the drain, whatever the machine is busy with.
  expect(Math.min(...spreads)).toBeGreaterThan((drainSeconds * 1_000) / 2);
  away.sort((one, other) => one - other);
  console.info(
    `rolling restart: ${published} messages, ${away.length} reconnections; away p50 ${quantile(away, 0.5)} ms, p99 ${quantile(away, 0.99)} ms, most ${quantile(away, 1)} ms; spreads ${spreads.map(Math.round).join(', ')} ms`,
  );
});

/** Notes for how long this client was away, in milliseconds, each time. */
function measureAbsence(hub: ClientHub<number>, away: number[]): void {
  let since: number | undefined;
  hub.watch((state) => {
    if (state !== 'connected') since ??= performance.now();
    else if (since !== undefined) {
      away.push(performance.now() - since);
      since = undefined;
    }
  });
}

function quantile(sorted: readonly number[], share: number): number {
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
}

/** @returns the largest number of moments within so many milliseconds */
function mostWithin(moments: readonly number[], ms: number): number {
  return Math.max(...moments.map((from) => moments.filter((at) => at >= from && at < from + ms).length));
}

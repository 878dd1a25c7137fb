import type { ChildProcess } from 'node:child_process';
import { TcpForwarder } from '../network/tcp-forwarder.ts';
import { eventually } from '../wait.ts';
import { startRedis, type TestRedis } from './redis.ts';
import { onRedis } from './redis-client.ts';

const quickSync = ['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1'];

/** A primary and its replica, as a managed Redis runs them, with a replication that can be broken. */
export class RedisPair {
  primary: TestRedis;
  replica: TestRedis;
  /** Between the replica and the primary. */
  #replication: TcpForwarder;

  private constructor(primary: TestRedis, replica: TestRedis, replication: TcpForwarder) {
    this.primary = primary;
    this.replica = replica;
    this.#replication = replication;
  }

  static async start(): Promise<RedisPair> {
    const [primary, replica] = await Promise.all([startRedis(quickSync), startRedis(quickSync)]);
    const replication = await TcpForwarder.open(() => [primary.port]);
    const pair = new RedisPair(primary, replica, replication);
    await pair.attach();
    return pair;
  }

  /** Both endpoints in StackExchange's shape: the service finds the primary itself. */
  get setting(): string {
    return `127.0.0.1:${this.primary.port},127.0.0.1:${this.replica.port}`;
  }

  /** The replica follows the primary, and has all it has. */
  async attach(): Promise<void> {
    await onRedis(this.replica.port, (redis) => redis.replicaof('127.0.0.1', this.#replication.port));
    await this.level();
  }

  /** Resolves when the replica has what the primary had at some moment from now on. */
  async level(): Promise<void> {
    await eventually('the replica to be level', async () => {
      const [ahead, behind] = await Promise.all([
        onRedis(this.primary.port, (redis) => redis.info('replication')),
        onRedis(this.replica.port, (redis) => redis.info('replication')),
      ]);
      return /master_link_status:up/.test(behind) && offsetIn(behind) >= offsetIn(ahead);
    });
  }

  /** From now on the primary acknowledges what its replica never gets. */
  breakReplication(): void {
    this.#replication.swallow('toClient');
  }

  /** Holds writes on the primary until the replica has all of them. */
  async holdWrites(): Promise<void> {
    await onRedis(this.primary.port, (redis) => redis.client('PAUSE', 60_000, 'WRITE'));
    await this.level();
  }

  /** The replica becomes the primary; the one that was does not learn of it. */
  async promote(): Promise<void> {
    await onRedis(this.replica.port, (redis) => redis.replicaof('NO', 'ONE'));
    [this.primary, this.replica] = [this.replica, this.primary];
    const { port } = this.primary;
    await this.#replication.close();
    this.#replication = await TcpForwarder.open(() => [port]);
  }

  /** What was the primary follows the new one. Its connections to clients stay. */
  async demoteFormer(): Promise<void> {
    await onRedis(this.replica.port, async (redis) => {
      await redis.replicaof('127.0.0.1', this.#replication.port);
      await redis.client('UNPAUSE');
    });
  }

  /** A new server in the place of a replica that died, a replica from its first moment on. */
  async replaceReplica(): Promise<void> {
    const { port } = this.replica;
    await this.replica.stop();
    const following = ['--replicaof', `127.0.0.1 ${this.#replication.port}`];
    this.replica = await startRedis([...quickSync, ...following], port);
    await this.level();
  }

  async stop(): Promise<void> {
    await this.#replication.close();
    await Promise.all([this.primary.stop(), this.replica.stop()]);
  }
}

function offsetIn(info: string): number {
  return Number(/^(?:slave|master)_repl_offset:(\d+)/m.exec(info)?.[1]);
}

/** Ends a server as a machine that fails does. */
export async function kill({ process: child }: { process: ChildProcess }): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

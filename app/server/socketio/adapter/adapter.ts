import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { Namespace } from 'socket.io';
import {
  Adapter,
  type BroadcastOptions,
  ClusterAdapter,
  type ClusterMessage,
  type ClusterResponse,
  MessageType,
} from 'socket.io-adapter';
import { assertConnected, availableRedis, RedisAwayError } from '../../redis/access.ts';
import type { BackplaneLinks } from '../../redis/backplane.ts';
import type { OnForeignPayload } from '../../redis/channels.ts';
import { redisName } from '../../redis/keys.ts';
import { decodePayload, encodePayload } from './payload.ts';

export interface BackplaneAdapterOptions {
  readonly links: BackplaneLinks;
  readonly deployment: string;
  readonly log: Pick<Logger, 'warn' | 'error'>;
  /** Notified of payloads in our channels that no instance can have published. */
  readonly foreignPayload: OnForeignPayload;
}

/** Prefix of the channels of all namespaces. */
export const adapterPrefix = (deployment: string) => redisName(deployment, 'socket.io');

/**
 * Makes `io.to().emit` and all else that Socket.IO's servers say to each other reach every instance, over links whose
 * connections come and go. What can't be done while Redis is away, or by chance not on all instances, is done here and
 * logged, or refused with an error that says so; none of it ends the process.
 *
 * Two channels a namespace, subscribed from the start, so that joining a room never races with a subscription that is
 * still under way: one for all instances, one for the answers to this one.
 */
export function createBackplaneAdapter(options: BackplaneAdapterOptions): typeof Adapter {
  return class extends BackplaneAdapter {
    constructor(nsp: Namespace) {
      super(nsp, options);
    }
  };
}

/** Of an instance that is alone: there is nobody to wait for. */
export class SingleInstanceAdapter extends Adapter {
  override serverSideEmit(packet: unknown[]): void {
    const callback = packet.at(-1);
    if (typeof callback === 'function') callback(null, []);
  }
}

/** What Socket.IO waits for where nobody can say how many answers there will be: its own timeout tells then. */
const unknownCount = Number.POSITIVE_INFINITY;

class BackplaneAdapter extends ClusterAdapter {
  readonly #options: BackplaneAdapterOptions;
  readonly #channel: string;
  /** A broadcast that stays here is being made: Socket.IO asks in the same turn how many servers will answer it. */
  #staysHere = false;

  constructor(nsp: Namespace, options: BackplaneAdapterOptions) {
    super(nsp);
    this.#options = options;
    this.#channel = `${adapterPrefix(options.deployment)}#${nsp.name}#`;
    this.#hear(this.#channel, (message) => this.onMessage(message as ClusterMessage));
    this.#hear(this.#answersTo(this.uid), (response) => this.onResponse(response as ClusterResponse));
  }

  override close(): void {
    const { channels } = this.#options.links;
    channels.unsubscribe(this.#channel);
    channels.unsubscribe(this.#answersTo(this.uid));
  }

  /** Here at once, as without other instances: whatever is emitted, joined or left next comes behind it. */
  override broadcast(...[packet, options]: Parameters<ClusterAdapter['broadcast']>): Promise<void> {
    this.#publishToOthers(options, (opts) => ({ type: MessageType.BROADCAST, data: { packet, opts } }));
    Adapter.prototype.broadcast.call(this, packet, options);
    return done;
  }

  override broadcastWithAck(...args: Parameters<ClusterAdapter['broadcastWithAck']>): void {
    const [, options] = args;
    this.#staysHere = options.flags?.local === true;
    try {
      super.broadcastWithAck(...args);
    } catch (error) {
      this.#staysHere = false;
      throw error;
    }
  }

  override addSockets(...[options, rooms]: Parameters<ClusterAdapter['addSockets']>): Promise<void> {
    this.#publishToOthers(options, (opts) => ({ type: MessageType.SOCKETS_JOIN, data: { opts, rooms } }));
    Adapter.prototype.addSockets.call(this, options, rooms);
    return done;
  }

  override delSockets(...[options, rooms]: Parameters<ClusterAdapter['delSockets']>): Promise<void> {
    this.#publishToOthers(options, (opts) => ({ type: MessageType.SOCKETS_LEAVE, data: { opts, rooms } }));
    Adapter.prototype.delSockets.call(this, options, rooms);
    return done;
  }

  override disconnectSockets(
    ...[options, close]: Parameters<ClusterAdapter['disconnectSockets']>
  ): Promise<void> {
    this.#publishToOthers(options, (opts) => ({
      type: MessageType.DISCONNECT_SOCKETS,
      data: { opts, close },
    }));
    Adapter.prototype.disconnectSockets.call(this, options, close);
    return done;
  }

  /** @throws Error when the sockets of other instances can't be asked */
  override async fetchSockets(options: BroadcastOptions) {
    if (options.flags?.local) return Adapter.prototype.fetchSockets.call(this, options);
    await this.#assertJoined('fetchSockets');
    try {
      return await super.fetchSockets(options);
    } catch (error) {
      throw new Error(
        'fetchSockets: not every instance answered; io.local.fetchSockets() gives the sockets of this one',
        { cause: error },
      );
    }
  }

  /** @throws Error as `fetchSockets` */
  override async sockets(rooms: Set<string>): Promise<Set<string>> {
    const found = await this.fetchSockets({ rooms, except: new Set(), flags: {} });
    return new Set(found.map(({ id }) => id));
  }

  /** Socket.IO does not wait for it: what it can't do goes to the callback, or to the log. */
  override async serverSideEmit(packet: unknown[]): Promise<void> {
    const callback = packet.at(-1);
    if (typeof callback !== 'function') return super.serverSideEmit(packet);
    const name = `the callback of serverSideEmit ${JSON.stringify(packet[0])}`;
    const acknowledge = (...args: unknown[]) => this.#attempt(name, () => callback(...args));
    try {
      await this.#assertJoined('serverSideEmit');
      // What can't be sent is reported at once, and not as answers that did not come in time.
      encodePayload(packet.slice(0, -1));
      await super.serverSideEmit([...packet.slice(0, -1), acknowledge]);
    } catch (error) {
      acknowledge(error, []);
    }
  }

  /** Never rejects: Socket.IO does not catch it. */
  override async serverCount(): Promise<number> {
    const staysHere = this.#staysHere;
    this.#staysHere = false;
    if (staysHere) return 1;
    try {
      const connection = await this.#assertJoined('a call that waits for all instances');
      const [, count] = (await connection.pubsub('SHARDNUMSUB', this.#channel)) as [string, number];
      return Number(count);
    } catch (error) {
      this.#options.log.warn({ err: error, namespace: this.nsp.name }, 'not all instances can be asked');
      return unknownCount;
    }
  }

  protected async doPublish(message: ClusterMessage): Promise<string> {
    const kind = MessageType[message.type];
    try {
      await this.#connectionOf(this.#channel).spublish(this.#channel, encodePayload(message));
    } catch (error) {
      this.#options.log.warn(
        { err: error, namespace: this.nsp.name, kind },
        "a call of Socket.IO's server has not reached the other instances",
      );
      throw error;
    }
    return '';
  }

  protected async doPublishResponse(requester: string, response: ClusterResponse): Promise<void> {
    try {
      const channel = this.#answersTo(requester);
      await this.#connectionOf(channel).spublish(channel, this.#encodeResponse(response));
    } catch (error) {
      this.#options.log.warn(
        { err: error, namespace: this.nsp.name, kind: MessageType[response.type] },
        'an answer to another instance has not reached it',
      );
    }
  }

  #encodeResponse(response: ClusterResponse): string | Buffer {
    try {
      return encodePayload(response);
    } catch (error) {
      if (response.type !== MessageType.FETCH_SOCKETS_RESPONSE) throw error;
      this.#options.log.warn(
        { err: error, namespace: this.nsp.name },
        'socket.data can not be sent as JSON: fetchSockets of other instances gives sockets without it',
      );
      const { data, ...rest } = response;
      return encodePayload({ ...rest, data: { ...data, sockets: data.sockets.map(withoutData) } });
    }
  }

  #connectionOf(channel: string): Redis {
    return assertConnected(this.#options.links, channel);
  }

  /** Answers come back as well; a namespace that was just made is waited for. @throws RedisAwayError that says what to do instead */
  async #assertJoined(call: string): Promise<Redis> {
    const { links } = this.#options;
    const redis = availableRedis(links, this.#channel);
    const channels = [this.#channel, this.#answersTo(this.uid)];
    if (redis && (await links.channels.hear(channels))) return redis;
    throw new RedisAwayError(
      `${call}: Redis is away, and with it the other instances; io.local means this one alone`,
    );
  }

  #answersTo(uid: string): string {
    return `${this.#channel}${uid}#`;
  }

  /** Nothing that comes from Redis, and no handler of the application that it calls, ends the process. */
  #hear(channel: string, take: (message: unknown) => void): void {
    const received = (payload: Buffer) => {
      let message: unknown;
      try {
        message = decodePayload(payload);
      } catch (error) {
        this.#options.foreignPayload(channel, error as Error);
        return;
      }
      this.#attempt('a message of another instance', () => take(message));
    };
    void this.#options.links.channels.follow(channel, { received, resubscribed: () => undefined });
  }

  #attempt(what: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#options.log.error({ err: error, namespace: this.nsp.name }, `${what} failed`);
    }
  }

  #publishToOthers(options: BroadcastOptions, messageOf: (opts: WireOptions) => Message): void {
    if (options.flags?.local) return;
    const { rooms, except, flags = {} } = options;
    this.publish(messageOf({ rooms: [...rooms], except: [...(except ?? [])], flags }));
  }
}

/** Socket.IO drops these promises: what fails is thrown at its caller, as without other instances. */
const done = Promise.resolve();

type Message = Parameters<ClusterAdapter['publish']>[0];
type WireOptions = { rooms: string[]; except: string[]; flags: NonNullable<BroadcastOptions['flags']> };

function withoutData(socket: unknown): object {
  return { ...(socket as object), data: {} };
}

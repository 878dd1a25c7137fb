import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import type { HubMember } from '../../hubs/member.ts';
import { ForeignChannels } from '../../redis/foreign-channels.ts';
import type { RedisSources } from '../../redis/setting/source.ts';
import { detach, withBase64 } from '../../rooms/body/attachments.ts';
import type { HubBridge } from '../hub-bridge.ts';
import { MemberQueue } from '../member-queue.ts';
import {
  type PythonEmit,
  type PythonMessage,
  type PythonVersion,
  readPayload,
  writeCallback,
  writeEmit,
  writeNothing,
} from './payload.ts';

export interface PythonBridgeOptions {
  /** By namespace. */
  readonly hubs: ReadonlyMap<string, HubBridge>;
  /** `channel` of their `AsyncRedisManager`. */
  readonly channel: string;
  /** The oldest python-socketio among them. */
  readonly version: PythonVersion;
  readonly sources: RedisSources;
  readonly deployment: string;
  readonly instance: string;
  readonly log: Logger;
}

export const pythonBridgeName = 'python-socketio';

/**
 * Joins hubs to servers and publishers of python-socketio, as one of them: hears what they emit, and tells them what is
 * emitted and published here.
 */
export class PythonBridge {
  readonly #options: PythonBridgeOptions;
  /** The same for all instances: none takes for Python's what another one of ours has said. */
  readonly #hostId: string;
  readonly #channels: ForeignChannels;
  readonly #queue: MemberQueue;
  readonly #ends: (() => void)[];

  constructor(options: PythonBridgeOptions) {
    this.#options = options;
    const { hubs, channel, sources, deployment, instance, log } = options;
    this.#hostId = createHash('sha256').update(`realtime-stack ${deployment}`).digest('hex').slice(0, 32);
    this.#queue = new MemberQueue(pythonBridgeName, log);
    this.#channels = new ForeignChannels({
      ...{ sources, log, name: `${instance}:${pythonBridgeName}`, channels: [channel], patterns: [] },
      received: (_channel, payload) => this.#take(readPayload(payload, options.version)),
      publishSelfTest: async (connection) => {
        await connection.publish(channel, writeNothing(this.#hostId));
      },
    });
    this.#ends = Array.from(hubs, ([namespace, bridge]) =>
      bridge.hub.watch({
        emitted: (event, args, room, except) => this.#emit(namespace, event, args, room, except),
        published: (message) => {
          if (!bridge.isOwn(message.id)) this.#emit(namespace, 'message', [message], message.room, undefined);
        },
      }),
    );
  }

  async close(): Promise<void> {
    for (const end of this.#ends) end();
    await this.#channels.close();
    await Promise.all(Array.from(this.#options.hubs.values(), (bridge) => bridge.close()));
  }

  #take(message: PythonMessage | PythonEmit): void {
    // Whose answer this is has asked for it, and we ask for none.
    if (message.method === 'callback' || message.host_id === this.#hostId) return;
    const bridge = this.#options.hubs.get(message.namespace);
    if (!bridge) return;
    if (message.method === 'emit') return void this.#takeEmit(bridge, message);
    const { hub } = bridge;
    if (message.method === 'close_room') {
      const { room } = message;
      for (const { id } of hub.rooms.membersHere(room)) this.#leave(bridge, hub.members.get(id), room);
      return;
    }
    const member = hub.members.get(message.sid);
    if (!member) return;
    if (message.method === 'disconnect') member.disconnect();
    if (message.method === 'leave_room') this.#leave(bridge, member, message.room);
    if (message.method === 'enter_room') this.#queue.run(() => hub.callOf(member).join(message.room));
  }

  #leave({ hub }: HubBridge, member: HubMember | undefined, room: string): void {
    if (member) this.#queue.run(() => hub.callOf(member).leave(room));
  }

  #takeEmit(bridge: HubBridge, { event, args, room, skip_sid, callback, host_id }: PythonEmit): void {
    const acknowledge =
      callback && host_id
        ? (values: readonly unknown[]) => this.#acknowledge(host_id, callback, values)
        : undefined;
    bridge.take({ event, args, rooms: room, except: skip_sid ?? [], acknowledge });
  }

  #acknowledge(hostId: string, callback: [string, string, number], values: readonly unknown[]): void {
    this.#publish(() => writeCallback({ hostId, callback, args: withBase64(values) }));
  }

  #emit(
    namespace: string,
    event: string,
    args: readonly unknown[],
    room: string | undefined,
    except: string | undefined,
  ): void {
    const hostId = this.#hostId;
    this.#publish(() =>
      writeEmit({ event, data: detach(args), namespace, room, except, hostId }, this.#options.version),
    );
  }

  /** At most once, as among theirs. */
  #publish(write: () => string): void {
    const { channel, log } = this.#options;
    const failed = ({ message }: Error) =>
      log.warn({ bridge: pythonBridgeName, reason: message }, 'an event has not reached python-socketio');
    try {
      this.#channels.publish(channel, write()).catch(failed);
    } catch (error) {
      failed(error as Error);
    }
  }
}

import type { Logger } from 'pino';
import { ForeignChannels } from '../../redis/foreign-channels.ts';
import type { RedisSources } from '../../redis/setting/source.ts';
import { membersIn } from '../emission.ts';
import type { HubBridge } from '../hub-bridge.ts';
import { MemberQueue } from '../member-queue.ts';
import { type EmitterCommand, readCommand, readEmit } from './payload.ts';

export interface EmitterBridgeOptions {
  /** By namespace. */
  readonly hubs: ReadonlyMap<string, HubBridge>;
  /** `key` of the emitters: their channels begin with it. */
  readonly prefix: string;
  readonly sources: RedisSources;
  readonly instance: string;
  readonly log: Logger;
}

export const emitterBridgeName = 'emitter';

/** Hears what Socket.IO's Redis emitters say to servers with the classic Redis adapter. Nothing is sent to them. */
export class EmitterBridge {
  readonly #hubs: EmitterBridgeOptions['hubs'];
  readonly #channels: ForeignChannels;
  readonly #queue: MemberQueue;

  constructor({ hubs, prefix, sources, instance, log }: EmitterBridgeOptions) {
    this.#hubs = hubs;
    this.#queue = new MemberQueue(emitterBridgeName, log);
    const commandChannels = new Map<string, HubBridge>(
      Array.from(hubs, ([namespace, bridge]) => [`${prefix}-request#${namespace}#`, bridge]),
    );
    this.#channels = new ForeignChannels({
      ...{ sources, log, name: `${instance}:${emitterBridgeName}` },
      channels: [...commandChannels.keys()],
      // An emit to one room is published to a channel of its own.
      patterns: Array.from(hubs.keys(), (namespace) => `${prefix}#${namespace}#*`),
      received: (channel, payload) => {
        const bridge = commandChannels.get(channel);
        if (bridge) this.#take(bridge, readCommand(payload));
        else this.#takeEmit(payload);
      },
    });
  }

  async close(): Promise<void> {
    await this.#channels.close();
    await Promise.all(Array.from(this.#hubs.values(), (bridge) => bridge.close()));
  }

  #takeEmit(payload: Buffer): void {
    const { namespace, ...emission } = readEmit(payload);
    this.#hubs.get(namespace)?.take(emission);
  }

  #take({ hub }: HubBridge, command: EmitterCommand | undefined): void {
    if (!command) return;
    const { kind, of, except, rooms } = command;
    const meant = of ? membersIn(hub, of) : new Set(hub.members.values());
    for (const member of membersIn(hub, except)) meant.delete(member);
    for (const member of meant) {
      if (kind === 'disconnect') member.disconnect();
      for (const room of rooms) {
        if (kind === 'join') this.#queue.run(() => hub.callOf(member).join(room));
        if (kind === 'leave') this.#queue.run(() => hub.callOf(member).leave(room));
      }
    }
  }
}

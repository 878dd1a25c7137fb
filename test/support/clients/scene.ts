import type { ClientHub, ConnectionState } from '../../../app/client/hub.ts';
import type { Audit, RoomLog, Statistics } from '../../../lib/verify/accounting/audit.ts';
import type { Receiver } from '../../../lib/verify/accounting/ledger.ts';
import { type HistoryReader, readHistories } from '../redis/room-history.ts';
import { members as defaultMembers } from '../scale.ts';
import { Cluster, type ClusterOptions } from '../servers/cluster.ts';
import type { TestInstance } from '../servers/service.ts';
import { eventually } from '../wait.ts';
import { Audience, type Member } from './audience.ts';

export interface SceneOptions extends ClusterOptions {
  /** How many, or their names. @default 3 */
  readonly rooms?: number | readonly string[];
  /** Clients of `app/client` in each room, spread over the instances. @default `scale.ts` has it */
  readonly members?: number;
}

/** Instances, and rooms with clients of both kinds in them: what a fault is then done to. */
export class Scene {
  readonly cluster: Cluster;
  readonly audience = new Audience();
  readonly rooms: readonly string[];
  /** What each client of `app/client` heard of its connection, after it was first there. */
  readonly states: ConnectionState[][] = [];
  readonly #statesOf = new Map<ClientHub<number>, ConnectionState[]>();

  private constructor(cluster: Cluster, rooms: readonly string[]) {
    this.cluster = cluster;
    this.rooms = rooms;
  }

  static async open({ rooms = 3, members, ...options }: SceneOptions): Promise<Scene> {
    const names =
      typeof rooms === 'number' ? Array.from({ length: rooms }, (_, index) => `room ${index + 1}`) : rooms;
    return Scene.on(await Cluster.start(options), names, members);
  }

  /** On instances that run already, and go on behind it. */
  static async on(cluster: Cluster, rooms: readonly string[], members = defaultMembers): Promise<Scene> {
    const scene = new Scene(cluster, rooms);
    await Promise.all(Array.from({ length: rooms.length * members }, (_, index) => scene.addMember(index)));
    return scene;
  }

  /** A client with the delivery contract, in the room whose turn it is. */
  async addMember(turn: number): Promise<void> {
    const hub = this.cluster.openHub();
    await this.audience.join(hub, this.rooms[turn % this.rooms.length] as string);
    const states: ConnectionState[] = [];
    hub.watch((state) => states.push(state));
    this.states.push(states);
    this.#statesOf.set(hub, states);
  }

  /** A plain `socket.io-client` in each room on each of these instances. */
  async addPlain(instances: readonly TestInstance[]): Promise<Receiver[]> {
    const joins = instances.flatMap((instance) =>
      this.rooms.map((room) => this.audience.joinPlain(this.cluster.connect(instance), room)),
    );
    return Promise.all(joins);
  }

  /** Resolves when each client's connection is so now. */
  async untilAll(state: ConnectionState, members = this.audience.members): Promise<void> {
    await eventually(`every client to be ${state}`, () => members.every(({ hub }) => hub.state === state));
  }

  /**
   * From now on. A client may be degraded for a moment only, which looking now and then would miss.
   *
   * @returns what resolves when each of these clients was degraded and is connected again
   */
  watchDegraded(members: readonly Member[]): () => Promise<void> {
    const heard = members.map(({ hub }) => this.#statesOf.get(hub) as ConnectionState[]);
    const before = heard.map((states) => states.length);
    return () =>
      eventually('every client to be degraded and connected again', () =>
        heard.every(
          (states, index) => states.indexOf('degraded', before[index]) >= 0 && states.at(-1) === 'connected',
        ),
      );
  }

  /** @param redis its port, or who knows where each room is */
  async histories(redis: number | HistoryReader): Promise<Map<string, RoomLog>> {
    return typeof redis === 'number' ? readHistories(redis, this.rooms) : redis.readHistories(this.rooms);
  }

  /** One more message in each room, and then what the contract says of all that happened. */
  async finish(redis: number | HistoryReader): Promise<Audit> {
    await this.audience.level();
    return this.audience.audit(await this.histories(redis));
  }

  /** Closes its clients; the instances go on. */
  leave(): void {
    for (const { hub } of this.audience.members) hub.close();
  }

  async stop(): Promise<void> {
    await this.cluster.stop();
  }
}

/** So many messages, each delivered once and in order, and nothing else to report. */
export function flawless(messages: number): Statistics {
  return {
    expected: messages,
    delivered: messages,
    lostUnsaid: 0,
    goneUnsaid: 0,
    duplicated: 0,
    outOfOrder: 0,
    notified: 0,
  };
}

/** Each of so many publishes acknowledged and once in the log; so many messages delivered to each kind. */
export function nothingLost(acknowledged: number, client: number, plain: number): Audit {
  return {
    acknowledged,
    refused: 0,
    uncertain: 0,
    dropped: 0,
    droppedUnsaid: 0,
    appendedTwice: 0,
    client: flawless(client),
    plain: flawless(plain),
  };
}

import type { HubConnection } from '@microsoft/signalr';
import type { ClientRoom } from '../../../app/client/room/room.ts';
import { openSignalRHub, type SignalRHub } from '../../../app/client/signalr.ts';
import type { Position } from '../../../app/protocol/hub.ts';
import { type Patience, until, within } from '../wait.ts';
import { type ClientSettings, type Handlers, type RoomClient, rethrow } from './client.ts';
import { buildConnection, type SignalRWay } from './signalr-connection.ts';

/** SignalR's own first try comes at once, and the next ones after seconds: this takes less of a check's time. */
const comesBackAfterMs = () => 100 + 300 * Math.random();

/** An application's client over SignalR, with the delivery contract. It comes back by itself. */
export class SignalRClient implements RoomClient {
  readonly name: string;
  readonly way: SignalRWay;
  readonly #connection: HubConnection;
  readonly #stop: () => Promise<void>;
  readonly #hub: SignalRHub;
  readonly #rooms = new Map<string, ClientRoom>();
  readonly #settings: ClientSettings;
  #instance = '';
  #connections = 0;
  #fault: string | undefined;

  /** @param url of the hub  @param token of its user */
  constructor(name: string, url: string, way: SignalRWay, token: string, settings: ClientSettings) {
    this.name = name;
    this.way = way;
    this.#settings = settings;
    const { connection, stop } = buildConnection(url, way, { token, pauseMs: comesBackAfterMs });
    this.#connection = connection;
    this.#stop = stop;
    this.#hub = openSignalRHub(this.#connection);
    this.#connection.on('welcome', ({ instance }: { instance: string }) => {
      this.#instance = instance;
      this.#connections += 1;
    });
    const note = (error?: Error) => {
      this.#fault = error?.message;
    };
    this.#connection.onreconnecting(note);
    this.#connection.onclose(note);
  }

  /** The instance that serves it, or the last one that did. */
  get instance(): string {
    return this.#instance;
  }

  /** Times that an instance welcomed it: 1 for a connection that held. */
  get connections(): number {
    return this.#connections;
  }

  /** Connected and welcomed. */
  get isReady(): boolean {
    return this.#connection.state === 'Connected' && this.#connections > 0;
  }

  /** Why its last connection failed or ended. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** Connects, and waits until it is ready. False if it can't, or the time is up. */
  async start(patience: Patience): Promise<boolean> {
    try {
      await within(this.#connection.start(), patience.timeoutMs, 'no handshake');
    } catch (error) {
      this.#fault = (error as Error).message;
      return false;
    }
    return until(() => this.isReady, patience);
  }

  async enter(room: string, { onMessage, onLost }: Handlers): Promise<void> {
    const joined = this.#hub.join(room, { onMessage, onLost: (lost) => onLost?.(lost) });
    this.#rooms.set(room, joined);
    await within(joined.joined, this.#settings.timeoutMs, 'join: no reply').catch(rethrow('join'));
  }

  async publish(room: string, id: string, body: unknown): Promise<Position> {
    const joined = this.#rooms.get(room);
    if (!joined) throw new Error(`publish: ${room} was not entered`);
    await this.#settings.pace();
    return joined.publish(body, { id, forMs: this.#settings.timeoutMs }).catch(rethrow('publish'));
  }

  close(): void {
    this.#hub.close();
    void this.#stop();
  }
}

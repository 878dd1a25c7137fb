import type { ClientHub } from '../../../app/client/hub.ts';
import type { OnPresence } from '../../../app/client/presence.ts';
import type { ClientRoom } from '../../../app/client/room/room.ts';
import type { Position } from '../../../app/protocol/hub.ts';
import { within } from '../wait.ts';
import { Client, type ClientSettings, type Handlers, rethrow } from './client.ts';

/** The client of applications: it gets each message once and in order, whatever happens to its connection. */
export class ContractClient extends Client {
  readonly #hub: ClientHub;
  readonly #rooms = new Map<string, ClientRoom>();

  constructor(name: string, hub: ClientHub, settings: ClientSettings) {
    super(name, hub.socket, settings);
    this.#hub = hub;
  }

  override async enter(room: string, { onMessage, onLost }: Handlers): Promise<void> {
    const joined = this.#hub.join(room, { onMessage, onLost: (lost) => onLost?.(lost) });
    this.#rooms.set(room, joined);
    await within(joined.joined, this.settings.timeoutMs, 'join: no reply').catch(rethrow('join'));
  }

  /** Tries until there is a reply, through lost connections too. */
  override async publish(room: string, id: string, body: unknown): Promise<Position> {
    const joined = this.#rooms.get(room);
    if (!joined) throw new Error(`publish: ${room} was not entered`);
    await this.settings.pace();
    return joined.publish(body, { id, forMs: this.settings.timeoutMs }).catch(rethrow('publish'));
  }

  /** Follows who is in a room that it entered, and who has left it since, by subject. */
  follow(room: string, onChange: OnPresence): void {
    this.#hub.presence(room, onChange);
  }

  /** Leaves the room, and stays connected. */
  leave(room: string): void {
    this.#hub.leave(room);
  }

  /** Ends its transport without a message to the instance, as a network failure does, and stays away. */
  cut(): void {
    const manager = this.socket.io;
    manager.reconnection(false);
    const { ws } = manager.engine.transport as { ws?: { terminate?(): void } };
    if (ws?.terminate) ws.terminate();
    else manager.engine.close();
  }

  /** Connects again, to the instance that the proxy chooses. */
  comeBack(): void {
    this.socket.io.reconnection(true);
    this.socket.connect();
  }

  override close(): void {
    this.#hub.close();
  }
}

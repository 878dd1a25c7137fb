import type { ClientHub } from '../../app/client/hub.ts';
import type { OnPresence } from '../../app/client/presence.ts';
import type { ClientRoom } from '../../app/client/room.ts';
import type { Position } from '../../app/protocol/hub.ts';
import { Client, type Habits, type Listener, tell } from './client.ts';
import { within } from './wait.ts';

/** The client that applications use: each message once and in order, whatever happens to its connection. */
export class ContractClient extends Client {
  readonly #hub: ClientHub;
  readonly #rooms = new Map<string, ClientRoom>();

  constructor(name: string, hub: ClientHub, habits: Habits) {
    super(name, hub.socket, habits);
    this.#hub = hub;
  }

  override async enter(room: string, { onMessage, onLost }: Listener): Promise<void> {
    const joined = this.#hub.join(room, { onMessage, onLost: (lost) => onLost?.(lost) });
    this.#rooms.set(room, joined);
    await within(joined.joined, this.habits.timeoutMs, 'join: no answer').catch(tell('join'));
  }

  /** Tries until it is answered, through lost connections too. */
  override async publish(room: string, id: string, body: unknown): Promise<Position> {
    const joined = this.#rooms.get(room);
    if (!joined) throw new Error(`publish: ${room} was not entered`);
    await this.habits.turn();
    return joined.publish(body, { id, forMs: this.habits.timeoutMs }).catch(tell('publish'));
  }

  /** Told who is in a room that it entered, and who left it since, by subject. */
  follow(room: string, onChange: OnPresence): void {
    this.#hub.presence(room, onChange);
  }

  /** Says that it goes, and stays connected. */
  leave(room: string): void {
    this.#hub.leave(room);
  }

  /** Its transport ends without a word to the instance, as a network drops it; it stays away. */
  cut(): void {
    const manager = this.socket.io;
    manager.reconnection(false);
    const { ws } = manager.engine.transport as { ws?: { terminate?(): void } };
    if (ws?.terminate) ws.terminate();
    else manager.engine.close();
  }

  /** Connects anew, wherever the proxy sends it. */
  comeBack(): void {
    this.socket.io.reconnection(true);
    this.socket.connect();
  }

  override close(): void {
    this.#hub.close();
  }
}

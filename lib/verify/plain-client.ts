import type { Acknowledgement, JoinAnswer, JoinRequest, Position } from '../../app/protocol/hub.ts';
import { Client, type Listener } from './client.ts';

/** Socket.IO's own client: it hears what the instance sends, as it comes, and is not served again. */
export class PlainClient extends Client {
  override async enter(room: string, { onMessage }: Listener): Promise<void> {
    this.socket.on('message', (message) => {
      if (message.room === room) onMessage(message);
    });
    await this.join({ room });
  }

  /** The hub's own answer. @throws Error as `enter` does */
  async join(request: JoinRequest): Promise<JoinAnswer> {
    return accepted('join', await this.#asking.emitWithAck('join', request));
  }

  override async publish(room: string, id: string, body: unknown): Promise<Position> {
    await this.habits.turn();
    return accepted('publish', await this.#asking.emitWithAck('publish', { room, id, body }));
  }

  override close(): void {
    this.socket.disconnect();
  }

  get #asking() {
    return this.socket.timeout(this.habits.timeoutMs);
  }
}

function accepted<T>(method: string, answer: Acknowledgement<T>): T {
  if (answer.ok) return answer;
  throw new Error(`${method}: ${answer.error.code}, ${answer.error.message}`);
}

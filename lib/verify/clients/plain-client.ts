import { setTimeout as delay } from 'node:timers/promises';
import type {
  Acknowledgement,
  ClientToServer,
  JoinReply,
  JoinRequest,
  Position,
} from '../../../app/protocol/hub.ts';
import { Client, type Handlers } from './client.ts';

/** The pause, in milliseconds, if a rejection does not say when to try again. */
const defaultPauseMs = 500;

/** Socket.IO's own client. It gets what the instance sends, and nothing that it missed. */
export class PlainClient extends Client {
  override async enter(room: string, { onMessage }: Handlers): Promise<void> {
    this.socket.on('message', (message) => {
      if (message.room === room) onMessage(message);
    });
    await this.join({ room });
  }

  /** The hub's own reply. @throws Error as `enter` does */
  join(request: JoinRequest): Promise<JoinReply> {
    return this.#call<JoinReply>('join', request);
  }

  override async publish(room: string, id: string, body: unknown): Promise<Position> {
    await this.settings.pace();
    return this.#call<Position>('publish', { room, id, body });
  }

  override close(): void {
    this.socket.disconnect();
  }

  /** A request that a limit rejected was not executed. It is tried again for as long as one reply may take. */
  async #call<T>(method: 'join' | 'publish', request: object): Promise<T> {
    const { timeoutMs, onRateLimited } = this.settings;
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const reply = await this.#send<T>(method, request);
      if (reply.ok) return reply;
      const { code, message } = reply.error;
      if (code !== 'rate_limited' || performance.now() > deadline) {
        throw new Error(`${method}: ${code}, ${message}`);
      }
      onRateLimited();
      await delay(Number(/in (\d+) ms/.exec(message)?.[1] ?? defaultPauseMs));
    }
  }

  async #send<T>(method: keyof ClientToServer, request: object): Promise<Acknowledgement<T>> {
    const asking = this.socket.timeout(this.settings.timeoutMs) as unknown as {
      emitWithAck(name: string, payload: object): Promise<Acknowledgement<T>>;
    };
    try {
      return await asking.emitWithAck(method, request);
    } catch {
      throw new Error(`${method}: no reply within ${this.settings.timeoutMs / 1_000} s`);
    }
  }
}

import type { HubSocket } from '../../app/client/connect.ts';
import type { Lost, Message, Position } from '../../app/protocol/hub.ts';
import { wordsOf } from './error-words.ts';
import type { Party } from './tally.ts';
import { type Patience, until } from './wait.ts';

/** Told what happens in a room. */
export interface Listener {
  onMessage(message: Message): void;
  /** Messages that can't be delivered any more. */
  onLost?(lost: Lost): void;
}

/** A client of the chat hub that knows which instance serves it, and what it was told last. */
export abstract class Client implements Party {
  readonly name: string;
  protected readonly socket: HubSocket;
  #instance = '';
  #settled = false;
  #connections = 0;
  #fault?: string;

  constructor(name: string, socket: HubSocket) {
    this.name = name;
    this.socket = socket;
    socket.on('welcome', ({ instance }) => {
      this.#instance = instance;
      this.#connections += 1;
      this.#settled = true;
    });
    socket.on('connect_error', (error) => {
      this.#fault = wordsOf(error);
    });
    socket.on('disconnect', (reason, details) => {
      this.#settled = false;
      // The transport's words are there only while this event is under way.
      this.#fault = details ? wordsOf(details) : reason;
    });
  }

  /** The instance that serves it, or the last one that did. */
  get instance(): string {
    return this.#instance;
  }

  /** Connected and welcomed. */
  get settled(): boolean {
    return this.#settled;
  }

  /** Times that an instance welcomed it: 1 for a connection that held. */
  get connections(): number {
    return this.#connections;
  }

  /** What it was told last when a connection failed or ended. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** Waits until it is settled; false when the time is up, or it met an error and does not try again. */
  async ready(patience: Patience): Promise<boolean> {
    await until(() => this.#settled || this.#gaveUp, patience);
    return this.#settled;
  }

  /** Joins a room. @throws Error with the refusal, or when nothing is answered in time */
  abstract enter(room: string, listener: Listener): Promise<void>;

  /** To a room that it entered. @throws Error with the refusal, or when nothing is answered in time */
  abstract publish(room: string, id: string, body: unknown): Promise<Position>;

  abstract close(): void;

  get #gaveUp(): boolean {
    const triesAgain = this.socket.active && this.socket.io.reconnection();
    return this.#fault !== undefined && !triesAgain;
  }
}

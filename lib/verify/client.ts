import { ask, cancel } from '../../app/client/ask.ts';
import type { HubSocket } from '../../app/client/connect.ts';
import type { HubError } from '../../app/client/errors.ts';
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

/** How a client goes about it. */
export interface Habits {
  /** Longest wait for an answer, in milliseconds. */
  readonly timeoutMs: number;
  /** Resolves when it may publish once more. */
  turn(): Promise<void>;
}

/** A client of a hub that knows which instance serves it, and what it was told last. */
export abstract class Client implements Party {
  readonly name: string;
  protected readonly socket: HubSocket;
  protected readonly habits: Habits;
  #instance = '';
  #settled = false;
  #connections = 0;
  #fault?: string;
  #refusal?: string | undefined;
  #upgradeFault?: string;

  constructor(name: string, socket: HubSocket, habits: Habits) {
    this.name = name;
    this.socket = socket;
    this.habits = habits;
    socket.on('welcome', ({ instance }) => {
      this.#instance = instance;
      this.#connections += 1;
      this.#settled = true;
    });
    socket.on('connect_error', (error) => {
      this.#fault = wordsOf(error);
      this.#refusal = (error as { data?: { code?: string } }).data?.code;
    });
    socket.io.engine.on('upgradeError', (error) => {
      this.#upgradeFault = wordsOf(error);
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

  /** Why its first connection stayed with polling, as far as it was told. */
  get upgradeFault(): string | undefined {
    return this.#upgradeFault;
  }

  /** The code with which the hub refused its handshake; absent where it was not the hub that refused. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** Engine.IO's session below, with its transport. */
  get engine(): HubSocket['io']['engine'] {
    return this.socket.io.engine;
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

  /** Asks the model in a room, once. @returns the turn  @throws Error with the refusal */
  ask(room: string, prompt: string): Promise<string> {
    return ask(this.socket, { room, prompt }, { forMs: this.habits.timeoutMs }).catch(tell('ask'));
  }

  /** Ends an answer. @throws Error with the refusal */
  cancel(turn: string): Promise<void> {
    return cancel(this.socket, turn, { forMs: this.habits.timeoutMs }).catch(tell('cancel'));
  }

  abstract close(): void;

  /** It can't connect at all, for example because it was given no token. */
  fail(words: string): void {
    this.socket.io.reconnection(false);
    this.socket.disconnect();
    this.#fault = words;
  }

  get #gaveUp(): boolean {
    const triesAgain = this.socket.active && this.socket.io.reconnection();
    return this.#fault !== undefined && !triesAgain;
  }
}

/** An error of the client library in the words of a check. */
export function tell(method: string): (error: HubError) => never {
  return ({ code, message }) => {
    throw new Error(code === undefined ? message : `${method}: ${code}, ${message}`);
  };
}

import { setTimeout as delay } from 'node:timers/promises';
import { ask, cancel } from '../../../app/client/answers.ts';
import type { HubSocket } from '../../../app/client/connection/connect.ts';
import type { HubError } from '../../../app/client/requests/errors.ts';
import type { Lost, Message, Position } from '../../../app/protocol/hub.ts';
import type { Participant } from '../accounting/ledger.ts';
import { describeError } from '../target/request.ts';
import { type Patience, until } from '../wait.ts';

/** The handlers of a client in a room. */
export interface Handlers {
  onMessage(message: Message): void;
  /** Called when messages can't be delivered any more. */
  onLost?(lost: Lost): void;
}

export interface ClientSettings {
  /** Longest wait for a reply, in milliseconds. */
  readonly timeoutMs: number;
  /** Resolves when it may publish again. */
  pace(): Promise<void>;
  /** A limit of the service rejected a request, which is tried again. */
  onRateLimited(): void;
}

/** Limits of the service let a client through again within about a second. */
const rateLimitPauseMs = 1_000;

/** A client that uses rooms, over whatever protocol. */
export interface RoomClient extends Participant {
  /** Joins a room. @throws Error with the rejection, or if no reply comes in time */
  enter(room: string, handlers: Handlers): Promise<void>;
  /** Publishes to a room that it entered. @throws Error with the rejection, or if no reply comes in time */
  publish(room: string, id: string, body: unknown): Promise<Position>;
}

/** A client of a hub that knows which instance serves it, and why its last connection failed. */
export abstract class Client implements RoomClient {
  readonly name: string;
  protected readonly socket: HubSocket;
  protected readonly settings: ClientSettings;
  #instance = '';
  #isReady = false;
  #connections = 0;
  #fault?: string | undefined;
  #rejection?: string | undefined;
  #upgradeFault?: string;

  constructor(name: string, socket: HubSocket, settings: ClientSettings) {
    this.name = name;
    this.socket = socket;
    this.settings = settings;
    socket.on('welcome', ({ instance }) => {
      this.#instance = instance;
      this.#connections += 1;
      this.#isReady = true;
    });
    socket.on('connect_error', (error) => {
      this.#fault = describeError(error);
      this.#rejection = (error as { data?: { code?: string } }).data?.code;
    });
    socket.io.engine.on('upgradeError', (error) => {
      this.#upgradeFault = describeError(error);
    });
    socket.on('disconnect', (reason, details) => {
      this.#isReady = false;
      // The transport's error is available only during this event.
      this.#fault = details ? `${reason}: ${describeError(details)}` : reason;
    });
  }

  /** The instance that serves it, or the last one that did. */
  get instance(): string {
    return this.#instance;
  }

  /** Connected and welcomed. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Times that an instance welcomed it: 1 for a connection that held. */
  get connections(): number {
    return this.#connections;
  }

  /** Why its last connection failed or ended. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** Why its first connection stayed with polling, as far as that is known. */
  get upgradeFault(): string | undefined {
    return this.#upgradeFault;
  }

  /** The code with which the hub rejected its handshake. Absent if it was not the hub. */
  get rejection(): string | undefined {
    return this.#rejection;
  }

  /** The Engine.IO session of the connection, with its transport. */
  get engine(): HubSocket['io']['engine'] {
    return this.socket.io.engine;
  }

  /**
   * Waits until it is ready. False if the time is up, or if it met an error after which it does not try again. A
   * client that a limit keeps out does try again.
   */
  async untilReady(patience: Patience): Promise<boolean> {
    const deadline = performance.now() + patience.timeoutMs;
    for (;;) {
      const timeoutMs = deadline - performance.now();
      await until(() => this.#isReady || this.#hasGivenUp, { ...patience, timeoutMs });
      if (this.#isReady) return true;
      if (!/\b429\b|rate_limited/.test(this.#fault ?? '') || performance.now() > deadline) return false;
      this.settings.onRateLimited();
      await delay(rateLimitPauseMs, undefined, { signal: patience.signal });
      this.#fault = undefined;
      this.socket.connect();
    }
  }

  abstract enter(room: string, handlers: Handlers): Promise<void>;

  abstract publish(room: string, id: string, body: unknown): Promise<Position>;

  /** Asks the model in a room, once. @returns the turn  @throws Error with the rejection */
  ask(room: string, prompt: string): Promise<string> {
    return ask(this.socket, { room, prompt }, { forMs: this.settings.timeoutMs }).catch(rethrow('ask'));
  }

  /** Cancels an answer. @throws Error with the rejection */
  cancel(turn: string): Promise<void> {
    return cancel(this.socket, turn, { forMs: this.settings.timeoutMs }).catch(rethrow('cancel'));
  }

  abstract close(): void;

  /** It can't connect at all, for example because there is no token for it. */
  fail(words: string): void {
    this.socket.io.reconnection(false);
    this.socket.disconnect();
    this.#fault = words;
  }

  get #hasGivenUp(): boolean {
    const triesAgain = this.socket.active && this.socket.io.reconnection();
    return this.#fault !== undefined && !triesAgain;
  }
}

/** Describes an error of the client library as checks print it. */
export function rethrow(method: string): (error: HubError) => never {
  return ({ code, message }) => {
    throw new Error(code === undefined ? message : `${method}: ${code}, ${message}`);
  };
}

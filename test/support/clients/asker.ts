import { Answers, ask, cancel } from '../../../app/client/answers.ts';
import { type ClientHub, openHub } from '../../../app/client/hub.ts';
import type { Final, Tokens } from '../../../app/protocol/answers.ts';
import type { Lost } from '../../../app/protocol/hub.ts';
import { AnswerRecord } from '../../../lib/verify/accounting/answers.ts';

/** A client of `app/client` in one room of the `llm` hub, and all that it heard there. */
export class Asker {
  readonly hub: ClientHub;
  readonly answers = new Answers();
  readonly losses: Lost[] = [];
  readonly #record = new AnswerRecord();
  readonly #room: string;

  private constructor(url: string, room: string, client?: string) {
    this.#room = room;
    this.hub = openHub(url, 'llm', {
      transports: ['websocket'],
      tryAllTransports: false,
      forceNew: true,
      reconnectionDelay: 50,
      reconnectionDelayMax: 500,
      ...(client === undefined ? {} : { auth: { client } }),
    });
  }

  /** Resolves when it is in the room. @param client two that say the same are one user. @default a random one */
  static async join(url: string, room: string, client?: string): Promise<Asker> {
    const asker = new Asker(url, room, client);
    const handlers = {
      onMessage: (message: Parameters<Answers['heard']>[0]) => {
        if (asker.answers.heard(message)) asker.#record.delivered(message);
      },
      onLost: (lost: Lost) => {
        asker.losses.push(lost);
        asker.answers.lost();
      },
    };
    await asker.hub.join(room, handlers).joined;
    return asker;
  }

  /** @returns the turn */
  ask(prompt: string, id?: string): Promise<string> {
    return ask(
      this.hub.socket,
      { room: this.#room, prompt, ...(id === undefined ? {} : { id }) },
      { forMs: 15_000 },
    );
  }

  cancel(turn: string): Promise<void> {
    return cancel(this.hub.socket, turn, { forMs: 15_000 });
  }

  get bodies() {
    return this.#record.bodies;
  }

  tokensOf(turn: string): Tokens[] {
    return this.#record.chunksOf(turn);
  }

  /** What was heard of a turn's tokens, put together. */
  saidIn(turn: string): string {
    return this.#record.textOf(turn);
  }

  finalsOf(turn: string): Final[] {
    return this.#record.finalsOf(turn);
  }

  close(): void {
    this.hub.close();
  }
}

/** What `count to n` is answered with. */
export function counted(to: number): string {
  return Array.from({ length: to }, (_, index) => index + 1).join(' ');
}

import { Answers } from '../../app/client/answers.ts';
import { ask, cancel } from '../../app/client/ask.ts';
import { type ClientHub, openHub } from '../../app/client/hub.ts';
import type { AnswerBody, Final, Tokens } from '../../app/protocol/answers.ts';
import type { Lost } from '../../app/protocol/hub.ts';

/** A client of `app/client` in one room of the `llm` hub, and all that it heard there. */
export class Asker {
  readonly hub: ClientHub;
  readonly answers = new Answers();
  readonly bodies: AnswerBody[] = [];
  readonly losses: Lost[] = [];
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
        if (asker.answers.heard(message)) asker.bodies.push(message.body as AnswerBody);
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

  tokensOf(turn: string): Tokens[] {
    return this.bodies.filter((body) => body.turn === turn && body.seq > 0 && !('final' in body)) as Tokens[];
  }

  /** What was heard of a turn's tokens, put together. */
  saidIn(turn: string): string {
    return this.tokensOf(turn)
      .map(({ text }) => text)
      .join('');
  }

  finalsOf(turn: string): Final[] {
    return this.bodies.filter((body) => body.turn === turn && 'final' in body) as Final[];
  }

  close(): void {
    this.hub.close();
  }
}

/** What `count to n` is answered with. */
export function counted(to: number): string {
  return Array.from({ length: to }, (_, index) => index + 1).join(' ');
}

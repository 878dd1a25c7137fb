import type { Position } from '../../../protocol/hub.ts';
import type { Identity } from '../../auth/identity.ts';
import type { ServedRooms } from '../../rooms/hub-rooms.ts';
import type { Page } from '../../rooms/log/log.ts';
import type { Frame, FrameFormat } from '../../rooms/member.ts';
import { messageHead, positionIn } from '../../rooms/message.ts';
import { ReplyText, RpcError } from '../../rooms/rpc.ts';
import type { HubMember } from '../member.ts';

export interface FollowOptions {
  readonly room: string;
  /** What the follower had last, or `start`: what came after it comes first. @default from now on */
  readonly since?: Position | 'start' | undefined;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** Characters that wait to be read; what is more is read from the log again. */
const mostWaiting = 500_000;

/**
 * A room's messages as a stream: each once and in order. Its reader is one more member of the room, for whom the same
 * holds as for any other. Where messages can't be delivered any more, `{room, epoch, offset, lost}` stands in their
 * place.
 *
 * @returns when the room is joined; who wants no more calls `return`, or aborts the signal
 * @throws RpcError as `join`, also from the stream: `forbidden` when its reader is expelled
 */
export async function followRoom(
  rooms: ServedRooms<HubMember>,
  member: HubMember,
  { room, since, signal }: FollowOptions,
): Promise<AsyncGenerator<ReplyText, void>> {
  const follower = new Follower(member);
  const close = () => {
    signal.removeEventListener('abort', close);
    follower.end();
    rooms.forget(follower);
  };
  signal.addEventListener('abort', close, { once: true });
  if (signal.aborted) close();
  try {
    let first = await rooms.read(follower, { room, since: since === 'start' ? undefined : since });
    if (since === 'start') {
      // Its epoch is not known before.
      rooms.forget(follower);
      follower.restart();
      first = await rooms.read(follower, { room, since: { epoch: first.head.epoch, offset: 0 } });
    }
    const items = closing(messagesOf({ rooms, room, follower, first }), close);
    // One that was never begun would not close when it is ended.
    await items.next();
    return items as AsyncGenerator<ReplyText, void>;
  } catch (error) {
    close();
    throw error;
  }
}

interface Following {
  readonly rooms: ServedRooms<HubMember>;
  readonly room: string;
  readonly follower: Follower;
  readonly first: Page;
}

async function* messagesOf({ rooms, room, follower, first }: Following): AsyncGenerator<ReplyText, void> {
  const headLength = messageHead(room).length;
  let position: Position | undefined;
  for (let page = first; ; page = await rooms.read(follower, { room, since: position })) {
    if (!page.complete) yield lossIn(room, page);
    for (const text of page.messages) {
      position = positionIn(text, headLength);
      yield new ReplyText(text);
    }
    if (page.messages.length === 0 || !page.more) {
      position = { epoch: page.head.epoch, offset: page.end };
    }
    if (page.more) continue;
    for (let text = await follower.next(); text !== undefined; text = await follower.next()) {
      position = positionIn(text, headLength);
      yield new ReplyText(text);
    }
    if (follower.isOver) return;
    // It lost track: the log says what came after its position.
    rooms.forget(follower);
    follower.restart();
  }
}

function lossIn(room: string, { head, lost }: Page): ReplyText {
  const messages = lost === undefined ? {} : { messages: lost };
  return new ReplyText(JSON.stringify({ room, ...head, lost: messages }));
}

/** Yields nothing once, and then the items; behind the last one it closes. */
async function* closing(
  items: AsyncIterable<ReplyText>,
  close: () => void,
): AsyncGenerator<ReplyText | undefined, void> {
  try {
    yield undefined;
    yield* items;
  } finally {
    close();
  }
}

/** The text of a message; undefined for an event, which is not kept and not followed. */
class FollowedFrame implements Frame {
  readonly text: string | undefined;

  constructor(text?: string) {
    this.text = text;
  }

  flush(): void {}
}

const format: FrameFormat = {
  message: (text) => new FollowedFrame(text.toString()),
  event: () => new FollowedFrame(),
};

/** The member that a stream's reader is, beside what it is otherwise. */
class Follower implements HubMember {
  readonly format = format;
  readonly identity: Identity;
  readonly #member: HubMember;
  #waiting: string[] = [];
  #characters = 0;
  #hasLostTrack = false;
  #isOver = false;
  #refusal: RpcError | undefined;
  #wake: () => void = () => undefined;

  constructor(member: HubMember) {
    this.#member = member;
    this.identity = member.identity;
  }

  get id(): string {
    return this.#member.id;
  }

  get subject(): string {
    return this.#member.subject;
  }

  get address(): string {
    return this.#member.address;
  }

  get transport(): string {
    return this.#member.transport;
  }

  get connected(): boolean {
    return !this.isOver;
  }

  get waitingBytes(): number {
    return this.#characters + this.#member.waitingBytes;
  }

  get isOver(): boolean {
    return this.#isOver || !this.#member.connected;
  }

  deliver({ text }: FollowedFrame): void {
    if (text === undefined || this.#hasLostTrack) return;
    this.#waiting.push(text);
    this.#characters += text.length;
    if (this.#characters > mostWaiting) this.#loseTrack();
    this.#wake();
  }

  offer(): void {}

  send(event: string): void {
    if (event === 'gap') this.#loseTrack();
    if (event === 'expelled')
      this.#refusal = new RpcError('forbidden', 'you may not be in this room any more');
    this.#wake();
  }

  async request(): Promise<never> {
    throw new Error('who reads a stream acknowledges nothing');
  }

  terminate(): void {
    this.#member.terminate();
  }

  reconnect(): void {
    this.#member.reconnect();
  }

  disconnect(): void {
    this.#member.disconnect();
  }

  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  restart(): void {
    this.#waiting = [];
    this.#characters = 0;
    this.#hasLostTrack = false;
  }

  /** The next message; undefined when it lost track, or is over. @throws RpcError when it was expelled */
  async next(): Promise<string | undefined> {
    for (;;) {
      if (this.isOver) return undefined;
      if (this.#refusal) throw this.#refusal;
      const text = this.#waiting.shift();
      if (text !== undefined) {
        this.#characters -= text.length;
        return text;
      }
      if (this.#hasLostTrack) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** What is in order goes out first. */
  #loseTrack(): void {
    this.#hasLostTrack = true;
  }
}

import type { Position } from './log/position.ts';
import type { LoggedMessage } from './message.ts';

/** Kept for each room that has members: a client that comes back soon costs Redis nothing. */
const mostMessages = 64;
const mostBytes = 64_000;
/** Let go of together: taking one off the front moves all the others. */
const blockMessages = 16;

/** The newest messages of a room, contiguous and of one epoch. */
export class RecentMessages {
  #messages: LoggedMessage[] = [];
  #bytes = 0;

  push(message: LoggedMessage): void {
    const last = this.#messages.at(-1)?.position;
    const { epoch, offset } = message.position;
    if (last && (last.epoch !== epoch || last.offset + 1 !== offset)) this.clear();
    this.#messages.push(message);
    this.#bytes += message.text.length;
    if (this.#messages.length >= mostMessages + blockMessages) this.#drop(blockMessages);
    while (this.#bytes > mostBytes && this.#messages.length > 0) this.#drop(1);
  }

  #drop(count: number): void {
    for (const { text } of this.#messages.splice(0, count)) this.#bytes -= text.length;
  }

  clear(): void {
    this.#messages = [];
    this.#bytes = 0;
  }

  /** What came after `since`, up to `cursor`; undefined where that is more than is kept. */
  between(since: Position, cursor: Position): readonly LoggedMessage[] | undefined {
    if (since.epoch !== cursor.epoch || since.offset > cursor.offset) return undefined;
    if (since.offset === cursor.offset) return [];
    const first = this.#messages[0]?.position;
    const last = this.#messages.at(-1)?.position;
    if (!first || last?.epoch !== cursor.epoch || last.offset !== cursor.offset) return undefined;
    if (first.offset > since.offset + 1) return undefined;
    return this.#messages.slice(since.offset + 1 - first.offset);
  }
}

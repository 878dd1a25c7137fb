import type { Frame } from './frame.ts';
import type { Position } from './position.ts';

/** Kept for each room that has members: a client that comes back soon costs Redis nothing. */
const mostFrames = 64;
const mostBytes = 64_000;
/** Let go of together: taking one off the front moves all the others. */
const blockFrames = 16;

/** The newest messages of a room, contiguous and of one epoch. */
export class Tail {
  #frames: Frame[] = [];
  #bytes = 0;

  push(frame: Frame): void {
    const last = this.#frames.at(-1)?.position;
    if (last && (last.epoch !== frame.position.epoch || last.offset + 1 !== frame.position.offset))
      this.clear();
    this.#frames.push(frame);
    this.#bytes += frame.bytes.length;
    if (this.#frames.length >= mostFrames + blockFrames) this.#drop(blockFrames);
    while (this.#bytes > mostBytes && this.#frames.length > 0) this.#drop(1);
  }

  #drop(count: number): void {
    for (const { bytes } of this.#frames.splice(0, count)) this.#bytes -= bytes.length;
  }

  clear(): void {
    this.#frames = [];
    this.#bytes = 0;
  }

  /** What came after `since`, up to `cursor`; undefined where that is more than is kept. */
  between(since: Position, cursor: Position): readonly Frame[] | undefined {
    if (since.epoch !== cursor.epoch || since.offset > cursor.offset) return undefined;
    if (since.offset === cursor.offset) return [];
    const first = this.#frames[0]?.position;
    const last = this.#frames.at(-1)?.position;
    if (!first || last?.epoch !== cursor.epoch || last.offset !== cursor.offset) return undefined;
    if (first.offset > since.offset + 1) return undefined;
    return this.#frames.slice(since.offset + 1 - first.offset);
  }
}

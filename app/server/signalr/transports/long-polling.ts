import type { IncomingMessage, ServerResponse } from 'node:http';
import { onEntryLeaving } from '../../net/relayed.ts';
import { OutgoingBytes, type Transport } from './transport.ts';

export interface LongPollingTimes {
  /** A poll is answered after so long, in milliseconds: below the idle timeout of any proxy. @default 25,000 */
  readonly pollMs: number;
  /** A session whose client asks no more ends after so long. @default 15,000 */
  readonly absentMs: number;
  /** A drain does not wait for the next poll of a client that was silent for so long. @default 2,000 */
  readonly pauseMs: number;
}

export const longPollingTimes: LongPollingTimes = { pollMs: 25_000, absentMs: 15_000, pauseMs: 2_000 };

interface Poll {
  readonly response: ServerResponse;
  /** This client's library reads one record of a response and drops the others. */
  readonly takesOne: boolean;
}

export class LongPollingTransport implements Transport {
  readonly name = 'polling';
  readonly takesBinary = true;
  readonly needsPings = false;
  readonly #times: LongPollingTimes;
  readonly #onAbsent: () => void;
  readonly #outgoing = new OutgoingBytes();
  readonly #queue: { readonly record: Buffer; readonly sent: () => void }[] = [];
  #poll: Poll | undefined;
  #timer: NodeJS.Timeout | undefined;
  #wasPolled = false;
  #pausedAt = performance.now();
  #isEnding = false;
  #isAnswering = false;

  /** @param onAbsent called when the client asks no more */
  constructor(onAbsent: () => void, times: LongPollingTimes = longPollingTimes) {
    this.#onAbsent = onAbsent;
    this.#times = times;
    this.#wait();
  }

  get waitingBytes(): number {
    return this.#outgoing.count;
  }

  /** Something waits for the client, and its next poll will fetch it: it did not leave without a word. */
  get willBeRead(): boolean {
    const isThere = this.#poll !== undefined || performance.now() - this.#pausedAt < this.#times.pauseMs;
    return this.waitingBytes > 0 && isThere;
  }

  send(record: Buffer): void {
    if (this.#isEnding) return;
    this.#queue.push({ record, sent: this.#outgoing.add(record.length) });
    this.#respondSoon();
  }

  writable(): Promise<void> {
    return this.#outgoing.writable();
  }

  /** The first poll is answered at once: by that the client knows that it is connected. */
  poll(request: IncomingMessage, response: ServerResponse): void {
    this.#endPoll(204);
    if (!this.#wasPolled) {
      this.#wasPolled = true;
      respond(response, Buffer.alloc(0));
      return void this.#wait();
    }
    const poll = { response, takesOne: request.headers.accept === 'Text' };
    this.#poll = poll;
    response.once('close', () => {
      if (this.#poll !== poll) return;
      this.#poll = undefined;
      this.#wait();
    });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#pollAgain(), this.#times.pollMs);
    // The next poll goes another way.
    onEntryLeaving(request, () => this.#poll === poll && this.#pollAgain());
    this.#respondSoon();
  }

  end(): void {
    this.#isEnding = true;
    this.#respondSoon();
  }

  destroy(): void {
    this.#isEnding = true;
    for (const { sent } of this.#queue.splice(0)) sent();
    this.#outgoing.release();
    clearTimeout(this.#timer);
    this.#endPoll(204);
  }

  /** What is sent in one turn goes by one response. */
  #respondSoon(): void {
    if (this.#isAnswering) return;
    this.#isAnswering = true;
    setImmediate(() => {
      this.#isAnswering = false;
      this.#respond();
    });
  }

  #respond(): void {
    const poll = this.#poll;
    if (!poll) return;
    if (this.#queue.length > 0) {
      this.#poll = undefined;
      const records = this.#queue.splice(0, poll.takesOne ? 1 : this.#queue.length);
      respond(poll.response, Buffer.concat(records.map(({ record }) => record)));
      for (const { sent } of records) sent();
      this.#wait();
    } else if (this.#isEnding) {
      clearTimeout(this.#timer);
      this.#endPoll(204);
    }
  }

  #pollAgain(): void {
    this.#endPoll(200);
    this.#wait();
  }

  #endPoll(status: 200 | 204): void {
    const poll = this.#poll;
    this.#poll = undefined;
    if (!poll) return;
    if (status === 200) respond(poll.response, Buffer.alloc(0));
    else poll.response.writeHead(204).end();
  }

  #wait(): void {
    this.#pausedAt = performance.now();
    clearTimeout(this.#timer);
    if (!this.#isEnding) this.#timer = setTimeout(this.#onAbsent, this.#times.absentMs).unref();
  }
}

function respond(response: ServerResponse, body: Buffer): void {
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'content-length': body.length,
    'cache-control': 'no-store',
  });
  response.end(body);
}

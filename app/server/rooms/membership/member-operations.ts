import type { Member } from '../member.ts';
import { RpcError } from '../rpc.ts';

/** A client that comes back asks for all its rooms at once; each may be a page of 256 KB on its way from the log. */
const mostAtOnce = 16;
/** Twice as many rooms as a connection may be in. */
const mostAsked = 2_000;

/** What one member has asked for. */
interface Queue {
  /** The last of each room. */
  readonly last: Map<string, Promise<unknown>>;
  readonly waiting: (() => void)[];
  asked: number;
  running: number;
}

/**
 * What one member does in one room happens in the order in which it was asked for: a `leave` waits for the
 * `join` before it, so that nobody stays a member of what it left. In different rooms it happens side by side, as far
 * as one member's work may hold up the others'.
 */
export class MemberOperations {
  readonly #queues = new Map<Member, Queue>();

  /** @throws RpcError `rate_limited`, and what `act` throws */
  async run<T>(member: Member, room: string, act: () => Promise<T>): Promise<T> {
    const queue = this.#queueOf(member);
    if (queue.asked >= mostAsked) {
      throw new RpcError('rate_limited', `${mostAsked} joins and leaves wait already: try again in 1000 ms`);
    }
    queue.asked += 1;
    const limited = () => runLimited(queue, act);
    const turn = queue.last.get(room)?.then(limited, limited) ?? limited();
    queue.last.set(room, turn);
    try {
      return await turn;
    } finally {
      queue.asked -= 1;
      if (queue.last.get(room) === turn) queue.last.delete(room);
      if (queue.asked === 0) this.#queues.delete(member);
    }
  }

  #queueOf(member: Member): Queue {
    const known = this.#queues.get(member);
    if (known) return known;
    const queue = { last: new Map(), waiting: [], asked: 0, running: 0 };
    this.#queues.set(member, queue);
    return queue;
  }
}

async function runLimited<T>(queue: Queue, act: () => Promise<T>): Promise<T> {
  if (queue.running >= mostAtOnce) await new Promise<void>((resolve) => queue.waiting.push(resolve));
  queue.running += 1;
  try {
    return await act();
  } finally {
    queue.running -= 1;
    queue.waiting.shift()?.();
  }
}

import type { Socket } from 'socket.io';

/**
 * What one socket does in one room happens in the order in which it was asked for: a `leave` waits for the
 * `join` before it, so that no socket stays a member of what it left.
 */
export class Turns {
  readonly #last = new WeakMap<Socket, Map<string, Promise<unknown>>>();

  async take<T>(socket: Socket, room: string, act: () => Promise<T>): Promise<T> {
    const turns = this.#turnsOf(socket);
    const turn = (turns.get(room) ?? Promise.resolve()).then(act, act);
    turns.set(room, turn);
    try {
      return await turn;
    } finally {
      if (turns.get(room) === turn) turns.delete(room);
      if (turns.size === 0) this.#last.delete(socket);
    }
  }

  #turnsOf(socket: Socket): Map<string, Promise<unknown>> {
    const known = this.#last.get(socket);
    if (known) return known;
    const turns = new Map<string, Promise<unknown>>();
    this.#last.set(socket, turns);
    return turns;
  }
}

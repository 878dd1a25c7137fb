import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { RedisAwayError } from '../access.ts';
import type { RedirectedCommand } from '../connection/open-connection.ts';

/** What knows the shards by their addresses. */
export interface RedirectTargets {
  /** The connection for commands to a server of the cluster; made where there is none yet. */
  connectionTo(address: string): Redis | undefined;
  /** A slot is at another server than the map says. */
  moved(slot: number, address: string): void;
  /** A slot is on its way to another server, and a part of its keys is there already. */
  movingAway(slot: number): void;
  /** The map may be old: resolves once it is read anew. */
  refresh(): Promise<void>;
}

/**
 * A command whose keys nobody has in this time, in milliseconds, is refused: the keys of a slot that stay on two servers,
 * or a map that changes faster than it is read.
 */
const followForMs = 2_000;
const isAddress = /^[^\s?]+:\d{1,5}$/;
/** So often it is sent on at once; then a pause stands before each time. */
const hopsAtOnce = 3;
/** Milliseconds. A slot's keys move in a few of them; one that stays half-way must not cost more than it carries. */
const pauseMs = 20;
const longestPauseMs = 250;

/**
 * Follows what a server of a cluster says of a command whose keys are elsewhere. It has run nowhere then, so that sending
 * it once more does no harm; where nobody can be asked it is refused, for the same reason.
 */
export class Redirects {
  readonly #targets: RedirectTargets;

  constructor(targets: RedirectTargets) {
    this.#targets = targets;
  }

  /** @returns whether it is taken care of; if not, the error is the command's */
  follow(command: RedirectedCommand, error: Error): boolean {
    const [kind, slot, announced = ''] = error.message.split(' ', 3) as [string, string?, string?];
    // A server that does not know its own name leaves it out: it is the one that was asked.
    const address = announced.startsWith(':') ? `${command.origin.options.host}${announced}` : announced;
    if (kind === 'CLUSTERDOWN' || kind === 'READONLY') void this.#targets.refresh();
    if (performance.now() - command.sentAt > followForMs) return false;
    switch (kind) {
      case 'MOVED':
        if (!isAddress.test(address)) return false;
        this.#targets.moved(Number(slot), address);
        void this.#sendOn(command, address);
        return true;
      case 'ASK':
        if (!isAddress.test(address)) return false;
        this.#targets.movingAway(Number(slot));
        void this.#sendOn(command, address, 'asking');
        return true;
      case 'TRYAGAIN':
        void this.#sendAgain(command);
        return true;
      default:
        return false;
    }
  }

  async #sendOn(command: RedirectedCommand, address: string, asking?: 'asking'): Promise<void> {
    if (command.hops >= hopsAtOnce) await delay(pauseBehind(command.hops));
    const connection = this.#targets.connectionTo(address) ?? (await this.#connectionSoon(address));
    if (!connection) return command.refuse(new RedisAwayError(`the shard at ${address} is away`));
    // In one turn: the server forgets it behind the next command of the connection.
    if (asking) connection.asking().catch(() => undefined);
    command.sendTo(connection);
  }

  /** A server that was not known a moment ago is being connected to. */
  async #connectionSoon(address: string): Promise<Redis | undefined> {
    const until = performance.now() + followForMs;
    while (performance.now() < until) {
      await delay(pauseMs);
      const connection = this.#targets.connectionTo(address);
      if (connection) return connection;
    }
    return undefined;
  }

  /** From the beginning: the server that was asked first knows by then where the keys are. */
  async #sendAgain(command: RedirectedCommand): Promise<void> {
    await delay(pauseBehind(command.hops));
    if (command.origin.status === 'ready') command.sendTo(command.origin);
    else command.refuse(new RedisAwayError());
  }
}

/** It grows with each time, and those that wait for one slot don't come back together. */
function pauseBehind(hops: number): number {
  const longest = Math.min(longestPauseMs, pauseMs * 2 ** (hops / 2));
  return longest * (0.5 + Math.random() / 2);
}

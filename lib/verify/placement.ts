import { paths } from '../../app/names.ts';
import { ask } from './ask.ts';
import { CheckFailure, type Context } from './check.ts';
import type { Client } from './client.ts';
import type { ClientOf, Of, Way } from './clients.ts';
import { explainConnection, isUnknownSession } from './explain.ts';
import { count, list } from './words.ts';

export interface Placement<C extends Client> {
  /** As many clients as asked for, by the instance that serves them. */
  readonly byInstance: ReadonlyMap<string, readonly C[]>;
  /** All of them. */
  readonly clients: readonly C[];
  /** Connections that it took. */
  readonly opened: number;
}

/** Connections under way at once. */
const atOnce = 10;

/**
 * Connects through the proxy again and again until every instance serves `each` clients; what is too many is
 * closed at the end and not before, so that a proxy that counts connections goes on to the other instances.
 *
 * @throws CheckFailure when clients can't connect, or an instance is never reached within a bounded number of tries
 */
export async function placeOnEach<W extends Way>(
  context: Context,
  each: number,
  way: W,
  of: Of = {},
): Promise<Placement<ClientOf<W>>> {
  const wanted = await wantedInstances(context);
  const tries = new Tries<ClientOf<W>>(each, wanted);
  while (!tries.done) {
    context.signal.throwIfAborted();
    await openSome(context, tries, way, of);
  }
  if (!tries.complete) throw new CheckFailure(await explainMissing(context, tries));
  return keepEach(context, tries, each);
}

interface Wanted {
  /** Ids that must be reached, where they are known. */
  readonly ids?: readonly string[];
  /** How many must be reached; undefined: as many as answer. */
  readonly count?: number;
}

async function wantedInstances({ target }: Context): Promise<Wanted> {
  const stated = target.instances;
  if (!target.control) return stated === undefined ? {} : { count: stated };
  const ids = (await target.control.instances()).map(({ id }) => id);
  return { ids, count: stated ?? ids.length };
}

/** What was reached so far, and whether to go on. */
class Tries<C extends Client> {
  readonly byInstance = new Map<string, C[]>();
  readonly wanted: Wanted;
  opened = 0;
  readonly #each: number;
  #sinceNew = 0;

  constructor(each: number, wanted: Wanted) {
    this.#each = each;
    this.wanted = wanted;
  }

  add(client: C): void {
    this.opened += 1;
    const there = this.byInstance.get(client.instance);
    this.#sinceNew = there ? this.#sinceNew + 1 : 0;
    if (there) there.push(client);
    else this.byInstance.set(client.instance, [client]);
  }

  get done(): boolean {
    return this.complete || this.opened >= this.#most;
  }

  get complete(): boolean {
    const enough = [...this.byInstance.values()].every((clients) => clients.length >= this.#each);
    return enough && this.byInstance.size > 0 && this.#allFound;
  }

  /** Clients still to be placed, as far as is known. */
  get missing(): number {
    const found = [...this.byInstance.values()].map((clients) => Math.max(0, this.#each - clients.length));
    const unfound = Math.max(0, (this.wanted.count ?? 1) - this.byInstance.size) * this.#each;
    return found.reduce((sum, number) => sum + number, unfound);
  }

  get unreached(): readonly string[] {
    return (this.wanted.ids ?? []).filter((id) => !this.byInstance.has(id));
  }

  get #allFound(): boolean {
    if (this.unreached.length > 0) return false;
    if (this.wanted.count !== undefined) return this.byInstance.size >= this.wanted.count;
    return this.#sinceNew >= 8 + 4 * this.byInstance.size;
  }

  /** Enough for a proxy that chooses at random. */
  get #most(): number {
    return 60 + 5 * this.#each * Math.max(this.wanted.count ?? 0, this.byInstance.size);
  }
}

async function openSome<W extends Way>(
  context: Context,
  tries: Tries<ClientOf<W>>,
  way: W,
  of: Of,
): Promise<void> {
  const number = Math.min(atOnce, Math.max(4, tries.missing));
  const clients = Array.from({ length: number }, () => context.clients.open(way, of));
  const ready = await Promise.all(clients.map((client) => client.ready(context)));
  const failed = clients.filter((_client, index) => !ready[index]);
  if (failed.length > 0) {
    const tried = count(tries.opened + number, 'connection');
    await failConnections(
      context,
      failed.map((client) => faultOf(context, client)),
      `${failed.length} of ${tried}`,
      way,
    );
  }
  for (const client of clients) tries.add(client);
}

/** What a client that did not get ready was told. */
export function faultOf({ timeoutMs }: Context, client: Client): string {
  return client.fault ?? `nothing within ${timeoutMs / 1_000} s`;
}

/** @throws CheckFailure always */
export async function failConnections(
  context: Context,
  faults: readonly string[],
  howMany: string,
  way: Way,
): Promise<never> {
  const words = faults.find(isUnknownSession) ?? faults[0] ?? '';
  const found = `${howMany} failed over ${wayWords[way]}: ${words}`;
  throw new CheckFailure(await explainConnection(context.target.url, found, words));
}

const wayWords: Record<Way, string> = {
  application: 'WebSocket or polling',
  'application-polling': 'polling with cookies',
  plain: 'WebSocket or polling',
  'one-sender': 'WebSocket or polling',
  polling: 'polling with cookies',
  websocket: 'WebSocket alone',
  upgrading: 'polling, then WebSocket',
};

function keepEach<C extends Client>(context: Context, tries: Tries<C>, each: number): Placement<C> {
  const byInstance = new Map<string, readonly C[]>();
  for (const id of [...tries.byInstance.keys()].sort()) {
    const clients = tries.byInstance.get(id) ?? [];
    for (const surplus of clients.slice(each)) context.clients.close(surplus);
    byInstance.set(id, clients.slice(0, each));
  }
  return { byInstance, clients: [...byInstance.values()].flat(), opened: tries.opened };
}

async function explainMissing(context: Context, tries: Tries<Client>) {
  const reached = [...tries.byInstance].map(([id, clients]) => `${id}: ${clients.length}`).join(', ');
  const after = `${count(tries.opened, 'connection')} (${reached})`;
  const { unreached, wanted } = tries;
  if (unreached.length > 0) {
    return {
      found: `${list(unreached)} never answered in ${after}`,
      ...(await explainUnreached(context, unreached)),
    };
  }
  const number = wanted.count ?? 0;
  if (tries.byInstance.size < number) {
    return {
      found: `${tries.byInstance.size} of ${count(number, 'instance')} answered in ${after}`,
      cause:
        'an instance is down or not ready, or the proxy does not send clients to it; or two share one INSTANCE_ID',
      fix: "look at the proxy's list of targets; give --instances the number that should be there",
    };
  }
  return {
    found: `the proxy spreads connections too unevenly to place clients on each instance: ${after}`,
    cause: "the proxy prefers some instances: weights, or stickiness by the client's address",
    fix: 'let it spread new connections evenly, with stickiness by cookie',
  };
}

/** Tries each instance alone: tells a fault of the instance from one of the proxy. */
async function explainUnreached({ target }: Context, ids: readonly string[]) {
  const instances = (await target.control?.instances()) ?? [];
  const alone = await Promise.all(
    instances
      .filter(({ id }) => ids.includes(id))
      .map(async ({ id, url }) => ({ id, answer: await askAlone(url) })),
  );
  const said = alone.map(({ id, answer }) => `${id} alone: ${answer}`).join(', ');
  const fit = alone.length > 0 && alone.every(({ answer }) => answer.startsWith('200'));
  return fit
    ? {
        cause: `the proxy does not send clients to it (${said})`,
        fix: "look at the proxy's list of targets and their health",
      }
    : {
        cause: `the instance does not serve (${said})`,
        fix: 'look in its log; a backplane that is not reached is told there',
      };
}

async function askAlone(url: string | undefined): Promise<string> {
  if (url === undefined) return 'down';
  try {
    const { status, body } = await ask(paths.ready, url);
    return `${status} ${body.slice(0, 60)}`;
  } catch {
    return 'no answer';
  }
}

import { paths } from '../../../../app/names.ts';
import { CheckFailure, type Context } from '../../check.ts';
import type { Client } from '../../clients/client.ts';
import type { ClientOf, Of, Way } from '../../clients/clients.ts';
import { sendRequest } from '../../target/request.ts';
import { count, list } from '../../wording.ts';
import { explainConnection, isUnknownSession } from './explain-connection.ts';

export interface Placement<C extends Client> {
  /** The requested clients, by the instance that serves them. */
  readonly byInstance: ReadonlyMap<string, readonly C[]>;
  /** All clients. */
  readonly clients: readonly C[];
  /** The number of connections that were needed. */
  readonly opened: number;
}

/** Connections that are opened at the same time. */
const atOnce = 10;

/**
 * Connects through the proxy again and again until every instance serves `each` clients. Extra clients are closed only
 * at the end, so that a proxy that counts connections goes on to the other instances.
 *
 * @throws CheckFailure if clients can't connect, or an instance is not reached within a limited number of attempts
 */
export async function placeOnEach<W extends Way>(
  context: Context,
  each: number,
  way: W,
  of: Of = {},
): Promise<Placement<ClientOf<W>>> {
  const wanted = await wantedInstances(context);
  const attempts = new Attempts<ClientOf<W>>(each, wanted);
  while (!attempts.done) {
    context.signal.throwIfAborted();
    await openSome(context, attempts, way, of);
  }
  if (!attempts.complete) {
    for (const name of attempts.unreached) context.unreached.add(name);
    throw new CheckFailure(await explainMissing(context, attempts));
  }
  return keepEach(context, attempts, each);
}

interface Wanted {
  /** The ids of the instances that must be reached, if they are known. */
  readonly ids?: readonly string[];
  /** How many must be reached. Undefined: as many as answer. */
  readonly count?: number;
}

async function wantedInstances({ target, unreached }: Context): Promise<Wanted> {
  // An instance that was not reached once is not required again: that would take all the attempts in every check.
  const stated = unreached.size > 0 ? undefined : target.instances;
  if (!target.control) return stated === undefined ? {} : { count: stated };
  const ids = (await target.control.instances()).map(({ id }) => id).filter((id) => !unreached.has(id));
  return { ids, count: stated ?? ids.length };
}

/** The instances that were reached so far, and whether to go on. */
class Attempts<C extends Client> {
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

  /** The number of clients still to be placed, as far as it is known. */
  get missing(): number {
    const found = [...this.byInstance.values()].map((clients) => Math.max(0, this.#each - clients.length));
    const unfound = Math.max(0, (this.wanted.count ?? 1) - this.byInstance.size) * this.#each;
    return found.reduce((sum, number) => sum + number, unfound);
  }

  /** Describes the instances that never answered: their names if they are known, else their number. */
  get unreached(): readonly string[] {
    const missing = (this.wanted.count ?? 0) - this.byInstance.size;
    if (this.unreachedIds.length > 0 || missing <= 0) return this.unreachedIds;
    return [`${missing} of the ${this.wanted.count} instances of --instances`];
  }

  get unreachedIds(): readonly string[] {
    return (this.wanted.ids ?? []).filter((id) => !this.byInstance.has(id));
  }

  get #allFound(): boolean {
    if (this.unreachedIds.length > 0) return false;
    if (this.wanted.count !== undefined) return this.byInstance.size >= this.wanted.count;
    return this.#sinceNew >= 8 + 4 * this.byInstance.size;
  }

  /** Enough attempts for a proxy that chooses at random. */
  get #most(): number {
    return 60 + 5 * this.#each * Math.max(this.wanted.count ?? 0, this.byInstance.size);
  }
}

async function openSome<W extends Way>(
  context: Context,
  attempts: Attempts<ClientOf<W>>,
  way: W,
  of: Of,
): Promise<void> {
  const number = Math.min(atOnce, Math.max(4, attempts.missing));
  const clients = Array.from({ length: number }, () => context.clients.open(way, of));
  const ready = await Promise.all(clients.map((client) => client.untilReady(context)));
  const failed = clients.filter((_client, index) => !ready[index]);
  if (failed.length > 0) {
    const tried = count(attempts.opened + number, 'connection');
    await failConnections(
      context,
      failed.map((client) => faultOf(context, client)),
      `${failed.length} of ${tried}`,
      way,
    );
  }
  for (const client of clients) attempts.add(client);
}

/** Describes why a client did not become ready. */
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

function keepEach<C extends Client>(context: Context, attempts: Attempts<C>, each: number): Placement<C> {
  const byInstance = new Map<string, readonly C[]>();
  for (const id of [...attempts.byInstance.keys()].sort()) {
    const clients = attempts.byInstance.get(id) ?? [];
    for (const surplus of clients.slice(each)) context.clients.close(surplus);
    byInstance.set(id, clients.slice(0, each));
  }
  return { byInstance, clients: [...byInstance.values()].flat(), opened: attempts.opened };
}

async function explainMissing(context: Context, attempts: Attempts<Client>) {
  const reached = [...attempts.byInstance].map(([id, clients]) => `${id}: ${clients.length}`).join(', ');
  const after = `${count(attempts.opened, 'connection')} (${reached})`;
  const { unreachedIds, wanted } = attempts;
  if (unreachedIds.length > 0) {
    return {
      found: `${list(unreachedIds)} never answered in ${after}`,
      ...(await explainUnreached(context, unreachedIds)),
    };
  }
  const number = wanted.count ?? 0;
  if (attempts.byInstance.size < number) {
    return {
      found: `${attempts.byInstance.size} of ${count(number, 'instance')} answered in ${after}`,
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

/** Tries each instance alone, to distinguish a fault of the instance from one of the proxy. */
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
        fix: 'look in its log: it says so when it does not reach its backplane',
      };
}

async function askAlone(url: string | undefined): Promise<string> {
  if (url === undefined) return 'down';
  try {
    const { status, body } = await sendRequest(paths.ready, url);
    return `${status} ${body.slice(0, 60)}`;
  } catch {
    return 'no response';
  }
}

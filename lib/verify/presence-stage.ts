import { setTimeout as delay } from 'node:timers/promises';
import { sendAway, untilElsewhere } from './absence.ts';
import { CheckFailure, type Context } from './check.ts';
import type { ContractClient } from './contract-client.ts';
import { blind, unheard } from './explain-presence.ts';
import { placeOnEach } from './placement.ts';
import { enterAll } from './round.ts';
import { until } from './wait.ts';

/** A watcher, one that moves or goes, and one that goes without a word. */
const clientsEach = 3;
/** Instances tell changes in batches of 200 ms. */
const settleMs = 300;

/** What one client is told of who is there. */
export interface View {
  readonly client: ContractClient;
  readonly subject: string;
  members: readonly string[];
  /** Subject -> when it was told as left, the first time. */
  readonly left: Map<string, number>;
}

/** Who is there, and who has gone. */
export interface Stage {
  readonly instances: number;
  readonly users: number;
  readonly views: readonly View[];
  /** With their subjects. */
  readonly gone: ReadonlyMap<ContractClient, string>;
  readonly goneAt: number;
  readonly mover?: { readonly subject: string };
  readonly move?: string;
}

/** Lets clients come, see one another, move and go. @throws CheckFailure */
export async function setStage(context: Context): Promise<Stage> {
  const { clients, byInstance } = await placeOnEach(context, clientsEach, 'application');
  const room = context.clients.newRoom();
  const subjects = await enterAndTell(context, clients, room);
  const views = clients.map((client) => watch(client, room, subjects.get(client) as string));
  await allSeen(context, views, new Set(subjects.values()));
  // What differs until all are registered is no leave; and who goes before that has never been there.
  await delay(settleMs, undefined, { signal: context.signal });
  for (const { left } of views) left.clear();
  const groups = [...byInstance.values()];
  const mover = groups[0]?.[1] as ContractClient;
  const moves =
    groups.length > 1
      ? await untilElsewhere([mover], groups.length, (some) => sendAway(context, some, async () => undefined))
      : [];
  const leaver = groups[0]?.[2] as ContractClient;
  const silent = groups.length > 1 ? [groups.at(-1)?.[2] as ContractClient] : [];
  const gone = new Map([leaver, ...silent].map((client) => [client, subjects.get(client) as string]));
  leaver.leave(room);
  for (const client of silent) client.cut();
  const last = moves.at(-1);
  return {
    instances: groups.length,
    users: new Set(subjects.values()).size,
    views,
    gone,
    goneAt: performance.now(),
    ...(last && { mover: { subject: subjects.get(mover) as string }, move: `${last.from} to ${last.to}` }),
  };
}

function watch(client: ContractClient, room: string, subject: string): View {
  const view: View = { client, subject, members: [], left: new Map() };
  client.follow(room, (members, { left }) => {
    view.members = members;
    for (const each of left) if (!view.left.has(each)) view.left.set(each, performance.now());
  });
  return view;
}

/** A client is not told who it is itself: its messages say so to all. */
async function enterAndTell(
  context: Context,
  clients: readonly ContractClient[],
  room: string,
): Promise<ReadonlyMap<ContractClient, string>> {
  const names = new Map<string, string>();
  await enterAll(clients, room, () => ({ onMessage: ({ id, from }) => names.set(id, from) }));
  await Promise.all(clients.map((client) => client.publish(room, client.name, {})));
  await until(() => clients.every(({ name }) => names.has(name)), context);
  const unnamed = clients.filter(({ name }) => !names.has(name));
  if (unnamed.length > 0) throw new CheckFailure(unheard(unnamed.length, clients.length));
  return new Map(clients.map((client) => [client, names.get(client.name) as string]));
}

async function allSeen(
  context: Context,
  views: readonly View[],
  subjects: ReadonlySet<string>,
): Promise<void> {
  const seesAll = ({ members }: View) => [...subjects].every((subject) => members.includes(subject));
  await until(() => views.every(seesAll), context);
  const [first, ...others] = views.filter((view) => !seesAll(view));
  if (!first) return;
  const seen = [...subjects].filter((subject) => first.members.includes(subject)).length;
  const number = { blind: 1 + others.length, all: views.length, seen, users: subjects.size };
  throw new CheckFailure(blind(first.client.instance, number));
}

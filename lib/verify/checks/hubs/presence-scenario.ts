import { setTimeout as delay } from 'node:timers/promises';
import { CheckFailure, type Context } from '../../check.ts';
import type { ContractClient } from '../../clients/contract-client.ts';
import { until } from '../../wait.ts';
import { placeOnEach } from '../connecting/placement.ts';
import { enterAll } from '../delivery/delivery.ts';
import { cutOff, reconnectElsewhere } from '../delivery/reconnections.ts';
import { blind, undelivered } from './explain-presence.ts';

/** One client watches, one moves or leaves, and one disappears. */
const clientsEach = 3;
/** Instances publish changes in batches of 200 ms. */
const batchMs = 300;

/** The members that one client sees. */
export interface View {
  readonly client: ContractClient;
  readonly subject: string;
  members: readonly string[];
  /** For each subject, when it was first reported as left. */
  readonly left: Map<string, number>;
}

/** The members, and those that left. */
export interface Scenario {
  readonly instances: number;
  readonly users: number;
  readonly views: readonly View[];
  /** Clients with their subjects. */
  readonly gone: ReadonlyMap<ContractClient, string>;
  readonly goneAt: number;
  readonly mover?: { readonly subject: string };
  readonly move?: string;
}

/** Lets clients join, see one another, move and leave. @throws CheckFailure */
export async function playScenario(context: Context): Promise<Scenario> {
  const { clients, byInstance } = await placeOnEach(context, clientsEach, 'application');
  const room = context.clients.newRoom();
  const subjects = await enterWithNames(context, clients, room);
  const views = clients.map((client) => watch(client, room, subjects.get(client) as string));
  await untilAllSeen(context, views, new Set(subjects.values()));
  // Differences before all are registered are no leaves. A client that disappears before that was never there.
  await delay(batchMs, undefined, { signal: context.signal });
  for (const { left } of views) left.clear();
  const groups = [...byInstance.values()];
  const mover = groups[0]?.[1] as ContractClient;
  const reconnections =
    groups.length > 1
      ? await reconnectElsewhere([mover], groups.length, (some) =>
          cutOff(context, some, async () => undefined),
        )
      : [];
  const leaver = groups[0]?.[2] as ContractClient;
  const silent = groups.length > 1 ? [groups.at(-1)?.[2] as ContractClient] : [];
  const gone = new Map([leaver, ...silent].map((client) => [client, subjects.get(client) as string]));
  leaver.leave(room);
  for (const client of silent) client.cut();
  const last = reconnections.at(-1);
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

/** The service does not tell a client its own subject. Its messages show the subject to all. */
async function enterWithNames(
  context: Context,
  clients: readonly ContractClient[],
  room: string,
): Promise<ReadonlyMap<ContractClient, string>> {
  const names = new Map<string, string>();
  await enterAll(clients, room, () => ({ onMessage: ({ id, from }) => names.set(id, from) }));
  await Promise.all(clients.map((client) => client.publish(room, client.name, {})));
  await until(() => clients.every(({ name }) => names.has(name)), context);
  const unnamed = clients.filter(({ name }) => !names.has(name));
  if (unnamed.length > 0) throw new CheckFailure(undelivered(unnamed.length, clients.length));
  return new Map(clients.map((client) => [client, names.get(client.name) as string]));
}

async function untilAllSeen(
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

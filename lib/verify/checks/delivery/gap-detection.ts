import type { JoinReply, JoinRequest, Position } from '../../../../app/protocol/hub.ts';
import { type Check, CheckFailure, type Context, type Fault, unlessSeveral } from '../../check.ts';
import type { PlainClient } from '../../clients/plain-client.ts';
import { count } from '../../wording.ts';
import { placeOnEach } from '../connecting/placement.ts';
import { exchangeMessages } from './delivery.ts';
import { explainUnserved } from './explain-exchange.ts';

const mostListeners = 2;
/** Messages of a room that nobody has joined yet, so an instance must read it from the log. */
const coldMessages = 5;

export const gapDetection: Check = {
  name: 'gap-detection',
  title: 'A client is notified of a gap exactly where there is one',
  needs: [],
  isOfSeveral: true,
  run: async (context) => {
    const each = Math.min(mostListeners, context.load.clients);
    const { clients } = await placeOnEach(context, each, 'application');
    const { ledger, report } = await exchangeMessages(context, clients, context.load.messages);
    const { clients: joiners, byInstance } = await placeOnEach(context, 1, 'plain');
    const warm = { room: ledger.room, head: ledger.head as Position };
    const cold = await fillCold(context, joiners);
    const joins: TriedJoin[] = [];
    for (const joiner of joiners) {
      for (const room of [warm, cold]) joins.push(...(await tryAll(joiner, room)));
    }
    const wrong = joins.filter((join) => join.wrong !== undefined);
    if (wrong.length > 0) throw new CheckFailure(await explain(context, joins, wrong));
    return {
      proved: describe(report.arrived, joins, joiners.length),
      notProved: unlessSeveral(byInstance.size, 'that a position of one instance is good at another'),
    };
  },
};

/** A join with a position, and whether the log can serve it. */
export interface JoinCase {
  /** For example `an unknown epoch`. */
  readonly position: string;
  readonly request: Omit<JoinRequest, 'room'>;
  /** The number of messages of the reply. Undefined: the log can't serve the position. */
  readonly messages?: number;
  /** An acknowledged publish that the log never had. */
  readonly isAckedLost?: true;
}

/** How far below the head the positions are, and how far above it. */
const distance = 3;

export function joinCases(head: Position): readonly JoinCase[] {
  const back = Math.min(distance, head.offset);
  const ahead = { ...head, offset: head.offset + distance };
  return [
    {
      position: `a position ${back} back`,
      request: { since: { ...head, offset: head.offset - back } },
      messages: back,
    },
    { position: 'the newest position', request: { since: head }, messages: 0 },
    { position: 'an unknown epoch', request: { since: { ...head, epoch: 'verify-never-was' } } },
    { position: 'a position ahead of the log', request: { since: ahead } },
    {
      position: 'an acknowledged publish ahead of the log',
      request: { since: head, acked: ahead },
      isAckedLost: true,
    },
  ];
}

/** Describes what is wrong with the reply. Undefined if nothing is. */
export function wrongWith(reply: JoinReply, tried: JoinCase, head: Position): string | undefined {
  const { messages, request, isAckedLost } = tried;
  if (reply.recovered !== (messages !== undefined)) return `recovered: ${reply.recovered}`;
  if (isAckedLost && !reply.lost?.acked) return 'recovered: false without lost.acked';
  if (messages === undefined) return undefined;
  const from = request.since?.offset ?? 0;
  const isContiguous = reply.messages.every(({ offset }, index) => offset === from + 1 + index);
  if (reply.messages.length !== messages || !isContiguous) {
    return `${reply.messages.length} of the ${messages} messages behind it${isContiguous ? '' : ', not contiguous'}`;
  }
  return reply.epoch === head.epoch && reply.offset === head.offset
    ? undefined
    : `offset ${reply.offset} where the log stands at ${head.offset}`;
}

interface KnownRoom {
  readonly room: string;
  readonly head: Position;
}

interface TriedJoin {
  readonly tried: JoinCase;
  readonly instance: string;
  /** What is wrong, in words. Absent if the reply is right. */
  readonly wrong?: string;
}

/** A room with messages and without members. */
async function fillCold(context: Context, [sender]: readonly PlainClient[]): Promise<KnownRoom> {
  const room = context.clients.newRoom();
  let head: Position = { epoch: '', offset: 0 };
  for (let i = 0; i < coldMessages; i += 1) {
    const { epoch, offset } = await (sender as PlainClient).publish(room, String(i), i);
    head = { epoch, offset };
  }
  return { room, head };
}

async function tryAll(joiner: PlainClient, { room, head }: KnownRoom): Promise<readonly TriedJoin[]> {
  const joins: TriedJoin[] = [];
  for (const tried of joinCases(head)) {
    const reply = await joiner.join({ room, ...tried.request });
    const wrong = wrongWith(reply, tried, head);
    joins.push({ tried, instance: joiner.instance, ...(wrong === undefined ? {} : { wrong }) });
  }
  return joins;
}

async function explain(
  { target }: Context,
  joins: readonly TriedJoin[],
  wrong: readonly TriedJoin[],
): Promise<Fault> {
  const examples = new Map(wrong.map((each) => [each.tried.position, each]));
  const words = [...examples.values()].map(
    (each) => `${each.tried.position} at ${each.instance}: ${each.wrong}`,
  );
  const found = `${wrong.length} of ${count(joins.length, 'join')} got a wrong reply; ${words.join('; ')}`;
  if (wrong.some(({ tried }) => tried.messages === undefined)) return { found, ...unsaid };
  return { found, ...(await explainUnserved(target.url)) };
}

const unsaid = {
  cause:
    'a position that the log never had passes for a good one: after a failover clients miss messages unsaid',
  fix: 'reply `recovered: false` unless the epoch is one of the room and the offset is not beyond its end',
};

function describe(offsets: number, joins: readonly TriedJoin[], instances: number): string {
  const good = joins.filter(({ tried }) => tried.messages !== undefined).length;
  return [
    `${count(offsets, 'offset')} delivered, 0 skipped`,
    `at ${count(instances, 'instance')} ${good} of ${count(good, 'good position')} recovered`,
    `${joins.length - good} of ${count(joins.length - good, 'bad one')} notified (unknown epoch, ahead of the log)`,
  ].join('; ');
}

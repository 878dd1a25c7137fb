import {
  AccessToken,
  type AgentDispatch,
  AgentDispatchClient,
  type ParticipantInfo,
  RoomServiceClient,
  TwirpError,
} from 'livekit-server-sdk';
import { LRUCache } from 'lru-cache';
import type { CallParticipant } from '../../protocol/calls.ts';
import type { LiveKitAccess } from '../environment.ts';
import { HttpError } from '../http/errors.ts';
import { type CallHolder, holderOf, subjectOfParticipant } from './token.ts';

/** A call, as LiveKit lists it. */
export interface ListedCall {
  readonly room: string;
  /** Seconds since 1970. */
  readonly createdAt: number;
}

/** What the service asks of LiveKit's API. */
export interface LiveKitApi {
  /** Who is in the call, agents that answer too; nobody where there is no call. @throws HttpError 503 */
  participants(room: string): Promise<CallParticipant[]>;
  /** Calls the agent into the room, unless one is there that answers, or on its way. @throws HttpError 503 */
  callAgent(room: string, agent: string): Promise<void>;
  /** All calls that LiveKit lists, also those whose node is dead. @throws HttpError 503 */
  calls(): Promise<ListedCall[]>;
  /** Does a living node have this call? A no takes 3 s. @throws HttpError 503 when that can't be said */
  isHosted(room: string): Promise<boolean>;
  /**
   * Gives a call to a living node. Where nobody joins within so many seconds that node ends it, and tells of the end.
   * @throws HttpError 503
   */
  revive(call: ListedCall, seconds: number): Promise<void>;
  /** Removes from a call whoever is meant; nobody where there is no call. @throws HttpError 503 */
  remove(room: string, isMeant: (holder: CallHolder) => boolean): Promise<void>;
}

/** A node answers in milliseconds, and asks another one where the room is there. */
const responseSeconds = 5;

/**
 * Milliseconds that a worker has to take a job. LiveKit asks workers once: where none had room, the agent never comes,
 * and has to be called again.
 */
const assignmentMs = 10_000;

/** Milliseconds after which it is asked again whether a node has a call, or an agent lives: pages ask more often. */
const knownForMs = 5_000;

/** @param waitMs how long a call for the agent counts whose agent is not there yet. @default 10,000 */
export function openLiveKitApi(access: LiveKitAccess, waitMs = assignmentMs): LiveKitApi {
  const { apiUrl, apiKey, apiSecret } = access;
  // Its retries are for LiveKit Cloud, and ask the same address again.
  const options = { requestTimeout: responseSeconds, failover: false };
  const rooms = new RoomServiceClient(apiUrl, apiKey, apiSecret, options);
  const dispatches = new AgentDispatchClient(apiUrl, apiKey, apiSecret, options);
  const hosted = new LRUCache<string, Promise<boolean>>({ max: 1_000, ttl: knownForMs });
  const responding = new LRUCache<string, Promise<boolean>>({ max: 1_000, ttl: knownForMs });

  const list = async (names?: string[]) => {
    const found = await ask(() => rooms.listRooms(names));
    return found.map(({ name, creationTime }) => ({ room: name, createdAt: Number(creationTime) }));
  };
  // Any question that the call's own node answers would do; this one changes nothing, and every version knows it.
  const isHosted = (room: string) => askFor(() => dispatches.listDispatch(room).then(() => true), false);
  /** LiveKit keeps the calls of a dead node in its list, with all who were in them. */
  const isThere = async (room: string): Promise<boolean> => {
    if ((await list([room])).length === 0) return false;
    return askedLately(hosted, room, () => isHosted(room));
  };
  const listedIn = (room: string): Promise<ParticipantInfo[]> =>
    askFor(() => rooms.listParticipants(room), []);
  const presentIn = async (room: string) => ((await isThere(room)) ? listedIn(room) : []);
  const removeOne = (room: string, identity: string) =>
    askFor(() => rooms.removeParticipant(room, identity), undefined);

  const isDeadAgent = async (room: string, participant: ParticipantInfo) => {
    if (!isAgent(participant)) return false;
    const { identity, sid } = participant;
    return !(await askedLately(responding, sid, () => isResponding(access, room, identity)));
  };

  /** Ends what is left of an agent that died. @returns is it there, or on its way? */
  const isAlive = async (room: string, dispatch: AgentDispatch, present: ReadonlySet<string>) => {
    const found = identitiesIn(dispatch).find((identity) => present.has(identity));
    if (found === undefined) return isOnItsWay(dispatch, waitMs);
    if (await isResponding(access, room, found)) return true;
    await removeOne(room, found);
    return false;
  };

  const dispatchesOf = async (room: string, agent: string) => {
    const called = await askFor(() => dispatches.listDispatch(room), []);
    return called.filter(({ agentName, state }) => agentName === agent && !state?.deletedAt);
  };
  const cancelDispatch = ({ id }: AgentDispatch, room: string) =>
    askFor(() => dispatches.deleteDispatch(id, room), undefined);

  /** Of those who call it at the same time, on whichever instances, one at least sees the calls of all. */
  const keepOldest = async (room: string, agent: string) => {
    const [, ...others] = (await dispatchesOf(room, agent)).sort(byAge);
    for (const dispatch of others) await cancelDispatch(dispatch, room);
  };

  return {
    calls: () => list(),
    isHosted,
    participants: async (room) => {
      const found = (await presentIn(room)).filter(isShown);
      const isDead = await Promise.all(found.map((participant) => isDeadAgent(room, participant)));
      const present = found.filter((_participant, index) => !isDead[index]);
      return present.map((participant) => ({
        identity: participant.identity,
        subject: subjectOfParticipant(participant),
        ...(participant.name === '' ? {} : { name: participant.name }),
        ...(isAgent(participant) ? { agent: true } : {}),
        joinedAt: Number(participant.joinedAt) * 1_000,
      }));
    },
    callAgent: async (room, agent) => {
      // What was known a moment ago is not enough: the call may be on another node by now, and an agent in it.
      const isListed = (await list([room])).length > 0;
      const own = isListed ? await dispatchesOf(room, agent) : [];
      const present = own.length > 0 ? await listedIn(room) : [];
      const identities = new Set(present.map(({ identity }) => identity));
      for (const dispatch of own) if (await isAlive(room, dispatch, identities)) return;
      // One that nobody took, or whose agent has left, stays in the room for good.
      for (const dispatch of own) await cancelDispatch(dispatch, room);
      await ask(() => dispatches.createDispatch(room, agent));
      hosted.delete(room);
      await keepOldest(room, agent);
    },
    revive: async ({ room, createdAt }, seconds) => {
      // LiveKit counts from the beginning of a call that nobody has joined on its node.
      const emptyTimeout = Math.ceil(Date.now() / 1_000 - createdAt) + seconds;
      await ask(() => rooms.createRoom({ name: room, emptyTimeout }));
      hosted.delete(room);
    },
    remove: async (room, isMeant) => {
      // All that are listed: whether a node had the call a moment ago keeps nobody in it.
      const meant = (await listedIn(room)).filter((participant) => isMeant(holderOf(participant)));
      await Promise.all(meant.map(({ identity }) => removeOne(room, identity)));
    },
  };
}

/** The answer of a moment ago, or the one that is on its way; a question that failed is asked again. */
function askedLately(
  answers: LRUCache<string, Promise<boolean>>,
  key: string,
  question: () => Promise<boolean>,
): Promise<boolean> {
  const known = answers.get(key);
  if (known) return known;
  const asked = question();
  answers.set(key, asked);
  asked.catch(() => answers.delete(key));
  return asked;
}

function identitiesIn({ state }: AgentDispatch): string[] {
  return (state?.jobs ?? []).flatMap((job) => job.state?.participantIdentity || []);
}

/** Everyone sorts them in the same way. */
function byAge(one: AgentDispatch, other: AgentDispatch): number {
  const [a, b] = [one, other].map(({ state }) => state?.createdAt ?? 0n) as [bigint, bigint];
  if (a !== b) return a < b ? -1 : 1;
  return one.id < other.id ? -1 : 1;
}

/** Its job can't tell whether it has left: LiveKit lets that run on. */
function isOnItsWay({ state }: AgentDispatch, waitMs: number): boolean {
  const started = (state?.jobs ?? []).map((job) => job.state?.startedAt);
  const begunAt = [state?.createdAt, ...started].map((at) => Number(at ?? 0));
  return Date.now() - Math.max(...begunAt) / nanosecondsInMs < waitMs;
}

const nanosecondsInMs = 1_000_000;

/** @throws HttpError 503 */
async function ask<A>(question: () => Promise<A>): Promise<A> {
  try {
    return await question();
  } catch (error) {
    const reason = error instanceof TwirpError ? `it answered ${error.status}` : (error as Error).message;
    throw new HttpError(503, 'unavailable', `LiveKit can't be asked now: ${reason}`, 1);
  }
}

/** @param ifAbsent the answer where there is no such room, or no living node has it */
function askFor<A, B>(question: () => Promise<A>, ifAbsent: B): Promise<A | B> {
  return ask<A | B>(() =>
    question().catch((error) => {
      if (isAbsence(error)) return ifAbsent;
      throw error;
    }),
  );
}

/** LiveKit asks all nodes for the one that has a room, and says so when none of them answered. */
function isAbsence(error: unknown): boolean {
  if (!(error instanceof TwirpError)) return false;
  return error.status === 404 || (error.status === 503 && error.message.includes('no response from servers'));
}

/** Milliseconds. A living process answers in some; LiveKit itself takes 21 s to see that one has died. */
const responseMs = 2_000;
/** Nobody offers it: that it is refused is the answer. */
const method = 'realtime-stack.probe';

/**
 * Does the process of this participant live? LiveKit passes a remote call on to it, and every client library answers
 * one that it does not offer. What can't be found out counts as a yes.
 */
async function isResponding(access: LiveKitAccess, room: string, identity: string): Promise<boolean> {
  const token = new AccessToken(access.apiKey, access.apiSecret, { ttl: '60s' });
  token.addGrant({ roomAdmin: true, room });
  const url = new URL('/twirp/livekit.RoomService/PerformRpc', access.apiUrl);
  const request = {
    room,
    destination_identity: identity,
    method,
    payload: '',
    response_timeout_ms: responseMs,
  };
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${await token.toJwt()}`, 'content-type': 'application/json' },
      body: JSON.stringify(request),
      signal: AbortSignal.timeout(2 * responseMs),
    });
    const { code, msg = '' } = (await response.json()) as { code?: string; msg?: string };
    const isGone =
      code === 'not_found' || (code === 'unavailable' && msg.includes('no response from servers'));
    return !isGone && code !== 'canceled' && code !== 'deadline_exceeded';
  } catch {
    return true;
  }
}

/** Of protobuf's `livekit.ParticipantInfo.Kind`, which the SDK does not export. */
const kinds = { egress: 2, agent: 4 } as const;

export function isAgent({ kind }: Pick<ParticipantInfo, 'kind'>): boolean {
  return Number(kind) === kinds.agent;
}

/** Recorders and the like are nobody. */
export function isShown({ kind, permission }: Pick<ParticipantInfo, 'kind' | 'permission'>): boolean {
  return Number(kind) !== kinds.egress && permission?.hidden !== true;
}

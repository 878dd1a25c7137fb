import { type AgentDispatch, AgentDispatchClient, RoomServiceClient, TwirpError } from 'livekit-server-sdk';
import type { CallParticipant } from '../../protocol/calls.ts';
import type { LivekitAccess } from '../environment.ts';
import { HttpError } from '../http/errors.ts';
import { isAgent, isShown } from './call-event.ts';
import { subjectOfParticipant } from './token.ts';

/** What the service asks of LiveKit's API. */
export interface LivekitApi {
  /** Who is in the call, agents too; nobody where there is no call. @throws HttpError 503 */
  participants(room: string): Promise<CallParticipant[]>;
  /** Calls the agent into the room, unless it was called already. @throws HttpError 503 */
  callAgent(room: string, agent: string): Promise<void>;
}

/** A node answers in milliseconds, and asks another one where the room is there. */
const answerSeconds = 5;

/**
 * Milliseconds that a worker has to take a job. LiveKit asks workers once: where none had room, the agent never comes,
 * and has to be called again.
 */
const assignmentMs = 10_000;

/** @param waitMs how long a call for the agent counts whose agent is not there yet. @default 10,000 */
export function openLivekitApi(access: LivekitAccess, waitMs = assignmentMs): LivekitApi {
  const { apiUrl, apiKey, apiSecret } = access;
  // Its retries are for LiveKit Cloud, and ask the same address again.
  const options = { requestTimeout: answerSeconds, failover: false };
  const rooms = new RoomServiceClient(apiUrl, apiKey, apiSecret, options);
  const dispatches = new AgentDispatchClient(apiUrl, apiKey, apiSecret, options);
  return {
    participants: async (room) => {
      const found = await ask(() => rooms.listParticipants(room), []);
      return found.filter(isShown).map((participant) => ({
        identity: participant.identity,
        subject: subjectOfParticipant(participant),
        ...(participant.name === '' ? {} : { name: participant.name }),
        ...(isAgent(participant) ? { agent: true } : {}),
        joinedAt: Number(participant.joinedAt) * 1_000,
      }));
    },
    callAgent: async (room, agent) => {
      // No node answers for a room that has not begun; should it be LiveKit that is away, the next question tells.
      const called = await dispatches.listDispatch(room).catch(() => []);
      const own = called.filter(({ agentName, state }) => agentName === agent && !state?.deletedAt);
      const present = own.length > 0 ? await ask(() => rooms.listParticipants(room), []) : [];
      const identities = new Set(present.map(({ identity }) => identity));
      if (own.some((dispatch) => isAlive(dispatch, identities, waitMs))) return;
      // One that nobody took, or whose agent has left, stays in the room for good.
      for (const { id } of own) await ask(() => dispatches.deleteDispatch(id, room), undefined);
      await ask(() => dispatches.createDispatch(room, agent), undefined);
    },
  };
}

/** Is the agent there, or on its way? Its job can't tell: LiveKit lets that run on when the agent has left. */
function isAlive({ state }: AgentDispatch, present: ReadonlySet<string>, waitMs: number): boolean {
  const jobs = (state?.jobs ?? []).map((job) => job.state);
  if (jobs.some((job) => present.has(job?.participantIdentity ?? ''))) return true;
  const begunAt = [state?.createdAt, ...jobs.map((job) => job?.startedAt)].map((at) => Number(at ?? 0));
  return Date.now() - Math.max(...begunAt) / nanosecondsInMs < waitMs;
}

const nanosecondsInMs = 1_000_000;

/** @param ifAbsent the answer where there is no such room */
async function ask<T>(question: () => Promise<T>, ifAbsent: T): Promise<T> {
  try {
    return await question();
  } catch (error) {
    if (error instanceof TwirpError && error.status === 404) return ifAbsent;
    const reason = error instanceof TwirpError ? `it answered ${error.status}` : (error as Error).message;
    throw new HttpError(503, 'unavailable', `LiveKit can't be asked now: ${reason}`, 1);
  }
}

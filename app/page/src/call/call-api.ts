import type { CallParticipant, CallToken } from '../../../protocol/calls.ts';
import { currentSession } from '../session/session.ts';

/** The service refused a request, or did not respond. */
export class CallError extends Error {
  override readonly name = 'CallError';
  /** For example `not_configured`: the service has no calls. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

interface Refused {
  readonly error: { readonly code: string; readonly message: string };
}

/** Who is in the call of a room, oldest first. @throws CallError */
export async function askParticipants(room: string): Promise<readonly CallParticipant[]> {
  const response = await ask(`/api/livekit/participants?room=${encodeURIComponent(room)}`);
  const { participants } = (await response.json()) as { participants: CallParticipant[] };
  return participants.sort((one, other) => one.joinedAt - other.joinedAt);
}

/** @throws CallError */
export async function askCallToken(room: string): Promise<CallToken> {
  return (await (await post('/api/livekit/token', { room })).json()) as CallToken;
}

/** Resolves once the agent is requested. It comes later, if one runs. @throws CallError */
export async function callAgent(room: string): Promise<void> {
  await post('/api/livekit/agent', { room });
}

function post(path: string, body: object): Promise<Response> {
  return ask(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const response = await answerTo(path, init).catch((error: Error) => {
    throw new CallError('unavailable', `the service does not answer: ${error.message}`);
  });
  if (response.ok) return response;
  const { error } = (await response.json().catch(() => ({}))) as Partial<Refused>;
  const { code = 'unavailable', message = `the service answered ${response.status}` } = error ?? {};
  throw new CallError(code, message);
}

async function answerTo(path: string, init: RequestInit): Promise<Response> {
  const { token } = await currentSession();
  const headers = new Headers(init.headers);
  if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
  return fetch(path, { ...init, headers });
}

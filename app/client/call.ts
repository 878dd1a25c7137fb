import type { Acknowledgement } from '../protocol/hub.ts';
import type { HubSocket } from './connect.ts';
import { HubError } from './errors.ts';

/** How long an answer may take before it is asked for again, in milliseconds. */
export const answerTimeoutMs = 6_000;

/**
 * Calls a method of the hub on the connection that is there now.
 * @throws HubError; `uncertain` when the connection ended or no answer came
 */
export async function call<T>(socket: HubSocket, method: string, request: object): Promise<T> {
  const answer = await send<T>(socket, method, request);
  if (answer.ok) return answer;
  throw new HubError(answer.error);
}

async function send<T>(socket: HubSocket, method: string, request: object): Promise<Acknowledgement<T>> {
  if (!socket.connected) throw new HubError({ code: 'refused', message: 'not connected: nothing was sent' });
  try {
    const asking = socket.timeout(answerTimeoutMs) as unknown as {
      emitWithAck(name: string, payload: object): Promise<Acknowledgement<T>>;
    };
    return await asking.emitWithAck(method, request);
  } catch {
    throw new HubError({ code: 'uncertain', message: `no answer to ${method}` });
  }
}

import { AccessToken } from 'livekit-server-sdk';
import type { LivekitAccess } from '../environment.ts';

/** Milliseconds. A living process answers in some; LiveKit itself takes 21 s to see that one has died. */
const answerMs = 2_000;
/** Nobody offers it: that it is refused is the answer. */
const method = 'realtime-stack.probe';

/**
 * Does the process of this participant live? LiveKit passes a remote call on to it, and every client library answers
 * one that it does not offer. What can't be found out counts as a yes.
 */
export async function isAnswering(access: LivekitAccess, room: string, identity: string): Promise<boolean> {
  const token = new AccessToken(access.apiKey, access.apiSecret, { ttl: '60s' });
  token.addGrant({ roomAdmin: true, room });
  const url = new URL('/twirp/livekit.RoomService/PerformRpc', access.apiUrl);
  const request = {
    room,
    destination_identity: identity,
    method,
    payload: '',
    response_timeout_ms: answerMs,
  };
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${await token.toJwt()}`, 'content-type': 'application/json' },
      body: JSON.stringify(request),
      signal: AbortSignal.timeout(2 * answerMs),
    });
    const { code, msg = '' } = (await response.json()) as { code?: string; msg?: string };
    const isGone =
      code === 'not_found' || (code === 'unavailable' && msg.includes('no response from servers'));
    return !isGone && code !== 'canceled' && code !== 'deadline_exceeded';
  } catch {
    return true;
  }
}

import { useEffect, useState } from 'react';
import type { CallParticipant } from '../../../protocol/calls.ts';
import { askParticipants, type CallError } from './call-api.ts';

/** What this window knows of a room's call. */
export type Call =
  | { readonly state: 'asking' }
  | { readonly state: 'open'; readonly participants: readonly CallParticipant[] }
  /** There is no media server. */
  | { readonly state: 'absent' }
  | { readonly state: 'away'; readonly reason: string };

/** The pause after a failed try, in milliseconds. */
const againAfterMs = 3_000;

/**
 * @param room undefined: nothing is requested
 * @param occasion a change of it causes a new request: the latest event of the call
 */
export function useCall(room: string | undefined, occasion: unknown): Call {
  const [call, setCall] = useState<Call>({ state: 'asking' });
  const [tries, setTries] = useState(0);

  // biome-ignore lint/correctness/useExhaustiveDependencies: an occasion to ask is not read
  useEffect(() => {
    if (room === undefined) return;
    let isOver = false;
    let timer: number | undefined;
    const show = (now: Call) => {
      if (isOver) return;
      setCall(now);
      if (now.state === 'away') timer = window.setTimeout(() => setTries(tries + 1), againAfterMs);
    };
    askParticipants(room).then(
      (participants) => show({ state: 'open', participants }),
      ({ code, message }: CallError) =>
        show(code === 'not_configured' ? { state: 'absent' } : { state: 'away', reason: message }),
    );
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [room, occasion, tries]);

  return call;
}

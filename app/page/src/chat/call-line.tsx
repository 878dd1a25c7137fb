import { type CallEvent, callSender } from '../../../protocol/calls.ts';
import type { Message } from '../../../protocol/hub.ts';
import { nameOf } from '../people/names.ts';

/** What a message tells of the room's call; undefined: somebody said it. */
export function callEventOf({ from, body }: Message): CallEvent | undefined {
  if (from !== callSender) return undefined;
  const event = body as Partial<CallEvent> | null;
  return typeof event?.call === 'string' && typeof event.text === 'string' ? (event as CallEvent) : undefined;
}

/** The call has begun, somebody joined it: a line between what is said. */
export function CallLine({ event }: { readonly event: CallEvent }) {
  return <span className="call-line">{inWords(event)}</span>;
}

function inWords({ call, subject, name, agent, text }: CallEvent): string {
  if (call !== 'joined' && call !== 'left') return text;
  const who = agent ? 'The voice agent' : (name ?? (subject && nameOf(subject)));
  return who ? `${who} ${call} the call` : text;
}

import { type CallEvent, callSender } from '../../../protocol/calls.ts';
import type { Message } from '../../../protocol/hub.ts';
import { nameOf } from '../people/person.tsx';

/** The call event in a message. Undefined if the message is of a user. */
export function callEventOf({ from, body }: Message): CallEvent | undefined {
  if (from !== callSender) return undefined;
  const event = body as Partial<CallEvent> | null;
  return typeof event?.call === 'string' && typeof event.text === 'string' ? (event as CallEvent) : undefined;
}

/** A line between messages that reports an event of the call. */
export function CallLine({ event }: { readonly event: CallEvent }) {
  return <span className="call-line">{inWords(event)}</span>;
}

function inWords({ call, subject, name, agent, text }: CallEvent): string {
  if (call !== 'joined' && call !== 'left') return text;
  const who = agent ? 'The voice agent' : (name ?? (subject && nameOf(subject)));
  return who ? `${who} ${call} the call` : text;
}

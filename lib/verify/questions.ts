import type { JoinAnswer, JoinRequest, Position } from '../../app/protocol/hub.ts';

/** A join with a position, and whether the log can serve it. */
export interface Question {
  /** For example `an unknown epoch`. */
  readonly position: string;
  readonly request: Omit<JoinRequest, 'room'>;
  /** Messages that the answer holds; undefined: it can't be served. */
  readonly messages?: number;
  /** An acknowledged publish that the log never had. */
  readonly ackedLost?: true;
}

/** How far behind the head, and how far ahead of it. */
const distance = 3;

export function questionsAbout(head: Position): readonly Question[] {
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
      ackedLost: true,
    },
  ];
}

/** In words what is wrong with the answer, if anything is. */
export function wrongWith(answer: JoinAnswer, question: Question, head: Position): string | undefined {
  const { messages, request, ackedLost } = question;
  if (answer.recovered !== (messages !== undefined)) return `recovered: ${answer.recovered}`;
  if (ackedLost && !answer.lost?.acked) return 'recovered: false without lost.acked';
  if (messages === undefined) return undefined;
  const from = request.since?.offset ?? 0;
  const contiguous = answer.messages.every(({ offset }, index) => offset === from + 1 + index);
  if (answer.messages.length !== messages || !contiguous) {
    return `${answer.messages.length} of the ${messages} messages behind it${contiguous ? '' : ', not contiguous'}`;
  }
  return answer.epoch === head.epoch && answer.offset === head.offset
    ? undefined
    : `offset ${answer.offset} where the log stands at ${head.offset}`;
}

import { type AnswerBody, type AskRequest, answerFrom } from '../../../protocol/answers.ts';
import type { Message } from '../../../protocol/hub.ts';
import { askRequest, cancelRequest } from '../../../protocol/schemas.ts';
import type { Answers } from '../../answers/answers.ts';
import type { Grant } from '../../rooms/membership/authorize.ts';
import { RpcError } from '../../rooms/rpc.ts';
import {
  defineHub,
  type HubCall,
  type HubDefinition,
  method,
  type StreamCall,
  type StreamEnd,
  stream,
} from '../define.ts';
import type { HubMember } from '../member.ts';

export interface LlmOptions {
  /** What makes the answers; asked for at the first call, since it publishes in this hub's rooms. */
  readonly answers: () => Answers;
  /** Counts a prompt. @throws RpcError `rate_limited` */
  readonly consumeAsk: (member: HubMember) => void;
  /** An instance that leaves would end the answer soon: another one takes the question. */
  readonly isDraining: () => boolean;
}

/** AI chat: whoever may join a room may ask in it, and every member reads the answer as it is made. */
export function defineLlm({ answers, consumeAsk, isDraining }: LlmOptions): HubDefinition {
  const ask = async ({ member, identity, grantOf, rates }: HubCall, request: AskRequest) => {
    const grant = await grantOf(request.room);
    if (isDraining()) throw new RpcError('unavailable', 'this instance is leaving: ask again');
    if (!grant) throw new RpcError('forbidden', 'you may not ask in this room');
    consumeAsk(member);
    return answers().ask(identity.subject, request, {
      remembers: seesAll(grant),
      newRoom: rates?.newRoom(member),
    });
  };
  return defineHub({
    name: 'llm',
    publishers: 'backends',
    methods: {
      ask: method(askRequest, ask),
      cancel: method(cancelRequest, async ({ identity }, { turn }) => {
        await answers().cancel(identity.subject, turn);
        return {};
      }),
    },
    streams: {
      answer: stream(askRequest, (call, request) => streamAnswer(call, request, { answers: answers(), ask })),
    },
  });
}

function seesAll({ visibleFrom = 1, and }: Grant): boolean {
  return visibleFrom === 1 && (!and || seesAll(and));
}

interface AnswerStreamOptions {
  readonly answers: Answers;
  /** Asks as the hub's method does. @throws RpcError */
  readonly ask: (call: StreamCall, request: AskRequest) => Promise<{ readonly turn: string }>;
}

/**
 * Asks, and gives the answer piece by piece: together they are the whole of it, each once. Who cancels the stream cancels
 * the answer; who is only gone, or sent to another instance, finds it by the same id.
 */
async function* streamAnswer(
  call: StreamCall,
  request: AskRequest,
  { answers, ask }: AnswerStreamOptions,
): AsyncGenerator<string, void> {
  const { signal, identity } = call;
  if (!(await call.grantOf(request.room))) throw new RpcError('forbidden', 'you may not ask in this room');
  const known = await answers.find(identity.subject, request);
  if (known && known.state !== 'running') {
    if (known.text !== undefined && known.text !== '') yield known.text;
    return assertWhole(known.state);
  }
  // What was said of a turn under way stands in the log.
  const messages = await call.follow(request.room, known ? 'start' : undefined);
  try {
    const { turn } = await ask(call, request);
    const cancel = () => {
      if ((signal.reason as StreamEnd) !== 'cancelled') return;
      // One that has ended, or that nobody can reach now, ends by itself.
      answers.cancel(identity.subject, turn).catch(() => undefined);
    };
    signal.addEventListener('abort', cancel, { once: true });
    if (signal.aborted) cancel();
    yield* piecesOf(turn, messages);
    signal.removeEventListener('abort', cancel);
  } finally {
    await messages.return();
  }
}

async function* piecesOf(
  turn: string,
  messages: AsyncIterable<{ readonly text: string }>,
): AsyncGenerator<string, void> {
  let said = '';
  let seq = 0;
  for await (const { text } of messages) {
    const { from, body } = JSON.parse(text) as Message & { readonly body: AnswerBody };
    if (from !== answerFrom || body.turn !== turn) continue;
    if ('final' in body) {
      // Its text is the whole: pieces that could not be read are in it.
      if (body.text.length > said.length) yield body.text.slice(said.length);
      return assertWhole(body.final, body.reason);
    }
    if (!('text' in body) || body.seq !== seq + 1) continue;
    seq = body.seq;
    said += body.text;
    yield body.text;
  }
}

/** @throws RpcError for an answer that broke off */
function assertWhole(state: string, reason?: string): void {
  if (state === 'done' || state === 'cancelled') return;
  throw new RpcError('unavailable', reason ?? 'the answer broke off: ask again');
}

import type { AskRequest } from '../../../protocol/answers.ts';
import { askRequest, cancelRequest } from '../../../protocol/schemas.ts';
import type { Answers } from '../../answers/answers.ts';
import type { Grant } from '../../rooms/membership/authorize.ts';
import { RpcError } from '../../rooms/rpc.ts';
import { defineHub, type HubCall, type HubDefinition, method, stream } from '../define.ts';
import type { HubMember } from '../member.ts';
import { streamAnswer } from './answer-stream.ts';

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

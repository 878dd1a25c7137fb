import type { Socket } from 'socket.io';
import { askRequest, cancelRequest } from '../../protocol/schemas.ts';
import type { Answers } from '../answers/answers.ts';
import { MethodRefusal } from '../rooms/answer.ts';
import { defineHub, type HubDefinition, method } from './define.ts';

export interface LlmOptions {
  /** What makes the answers; asked for at the first call, since it publishes in this hub's rooms. */
  readonly answers: () => Answers;
  /** Counts a prompt. @throws MethodRefusal `rate_limited` */
  readonly chargeAsk: (socket: Socket) => void;
  /** An instance that leaves would end the answer soon: another one takes the question. */
  readonly isDraining: () => boolean;
}

/** AI chat: whoever may join a room may ask in it, and every member reads the answer as it is made. */
export function defineLlm({ answers, chargeAsk, isDraining }: LlmOptions): HubDefinition {
  return defineHub({
    name: 'llm',
    publishers: 'backends',
    methods: {
      ask: method(askRequest, async ({ socket, identity, grantOf }, request) => {
        const grant = await grantOf(request.room);
        if (isDraining()) throw new MethodRefusal('unavailable', 'this instance is leaving: ask again');
        if (!grant) throw new MethodRefusal('forbidden', 'you may not ask in this room');
        chargeAsk(socket);
        const remembers = (grant.visibleFrom ?? 1) === 1;
        return answers().ask(identity.subject, request, { remembers });
      }),
      cancel: method(cancelRequest, async ({ identity }, { turn }) => {
        await answers().cancel(identity.subject, turn);
        return {};
      }),
    },
  });
}

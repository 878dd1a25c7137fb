import type { AnswerReport } from '../../accounting/answers.ts';
import type { Fault } from '../../check.ts';
import { count, list } from '../../wording.ts';

/** Describes what is wrong with an answer as clients got it, and the likely cause. */
export function explainAnswer(
  what: string,
  wrong: readonly (AnswerReport & { readonly instance: string })[],
  state = 'done',
): Fault {
  const [first] = wrong;
  if (!first) return { found: what, ...notAccepted };
  const found = `${what}; one on ${first.instance}: ${describe(first, state)}`;
  const end = first.finals[0];
  if (first.finals.length === 0) return { found, ...neverEnded };
  if (end?.final === 'failed' || end?.final === 'interrupted') return { found, ...ofModel };
  if (first.finals.length > 1 || first.late > 0) return { found, ...endedTwice };
  if (first.repeated > 0) return { found, ...repeated };
  if (first.missing + first.outOfOrder > 0 || !first.isWhole) return { found, ...dropped };
  return { found, ...endedOtherwise };
}

function describe(
  { chunks, repeated, missing, outOfOrder, late, finals, isWhole }: AnswerReport,
  state: string,
): string {
  const [end] = finals;
  const parts = [
    repeated > 0 && `${repeated} repeated`,
    missing > 0 && `${missing} missing`,
    outOfOrder > 0 && `${outOfOrder} out of order`,
    late > 0 && `${late} behind its end`,
    finals.length !== 1 && count(finals.length, 'end'),
    end !== undefined && end.final !== state && `ended ${end.final}${end.reason ? ` (${end.reason})` : ''}`,
    end !== undefined && !isWhole && 'together not the text that the end has',
  ].filter((part) => part !== false);
  return `${count(chunks, 'chunk')}: ${list(parts)}`;
}

const notAccepted = {
  cause: 'the hub takes no questions: its limits are reached, Redis is away, or it has no model',
  fix: "look at the words above and in the instance's log; MODEL_PROVIDER=offline needs no key",
};

const neverEnded = {
  cause: 'the instance that made the answer ended it without a word, or its messages do not reach this one',
  fix: 'append the end in the script that changes the state of the turn; see what the check `delivery` says',
};

const ofModel = {
  cause: 'the model gave an error or took too long, or its instance left',
  fix: "the instance's log names the fault: access to the model (MODEL_ID, the task's role), throttling, the network",
};

const endedTwice = {
  cause: 'whoever ends the answer publishes its end, and not the step that changes its state',
  fix: 'change the state and append the end in one script, so that the second one finds it ended',
};

const repeated = {
  cause: 'a chunk that was sent again is appended again',
  fix: 'publish each chunk with the id `turn:seq`, so that a repeat is found',
};

const dropped = {
  cause:
    'tokens go out beside the log, or are not awaited: some never come, and a client that moves misses them',
  fix: 'append every chunk to the log of the room, one under way for each turn',
};

const endedOtherwise = {
  cause: '`cancel` did not reach the instance that makes the answer, or came behind its end',
  fix: 'let each chunk look in its script whether the turn still runs',
};

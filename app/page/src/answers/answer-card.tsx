import { useState } from 'react';
import type { Answer } from '../../../client/answers.ts';
import { Person } from '../people/person.tsx';

const stateInWords = {
  running: 'Answering…',
  unknown: 'Some of this was lost; its end brings the whole text',
  done: 'Answered',
  interrupted: 'Interrupted',
  cancelled: 'Cancelled',
  failed: 'Failed',
} as const satisfies Record<Answer['state'], string>;

export interface AnswerCardProps {
  readonly answer: Answer;
  readonly self: string | undefined;
  /** @returns undefined if it worked, else the reason */
  readonly onCancel: (turn: string) => Promise<string | undefined>;
}

export function AnswerCard({ answer, self, onCancel }: AnswerCardProps) {
  const { turn, prompt, by, text, state, reason } = answer;
  const [fault, setFault] = useState<string>();
  const mayCancel = state === 'running' && (self === undefined || by === self);
  const isBroken = state === 'interrupted' || state === 'failed';
  return (
    <li className="answer" data-state={state}>
      {by && (
        <p className="by">
          <Person subject={by} self={by === self} />
        </p>
      )}
      <p className="asked text">{prompt ?? 'A question from before you came'}</p>
      <p className="text" data-testid="answer">
        {text}
        {state === 'running' && <span className="caret" aria-hidden="true" />}
      </p>
      <div className="foot">
        <span className={isBroken ? 'broken' : 'soft'}>
          {reason ? `${stateInWords[state]}: ${reason}` : stateInWords[state]}
        </span>
        {mayCancel && (
          <button type="button" className="quiet" onClick={async () => setFault(await onCancel(turn))}>
            Cancel
          </button>
        )}
      </div>
      {fault && <p role="alert">{fault}</p>}
    </li>
  );
}

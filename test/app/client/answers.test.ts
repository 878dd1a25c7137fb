import { Answers } from '../../../app/client/answers.ts';
import { answerFrom } from '../../../app/protocol/answers.ts';
import type { Message } from '../../../app/protocol/hub.ts';

let offset = 0;
function message(body: unknown, from: string = answerFrom): Message {
  offset += 1;
  return { room: 'r', epoch: 'e', offset, id: `m${offset}`, from, at: 0, body };
}

function hear(answers: Answers, ...bodies: object[]): void {
  for (const body of bodies) answers.heard(message({ turn: 't', ...body }));
}

const question = { seq: 0, prompt: 'why?', by: 'ann' };

test('question, tokens and end become one answer, and each change another list', () => {
  const answers = new Answers();
  const lists = [answers.all];
  for (const body of [question, { seq: 1, text: 'be' }, { seq: 2, text: 'cause' }]) {
    hear(answers, body);
    lists.push(answers.all);
  }
  expect(new Set(lists).size).toBe(4);
  expect(answers.of('t')).toMatchObject({
    prompt: 'why?',
    by: 'ann',
    text: 'because',
    state: 'running',
    isComplete: true,
  });
  hear(answers, { seq: 3, final: 'done', text: 'because' });
  expect(answers.all).toMatchObject([{ text: 'because', state: 'done' }]);
});

test('what is said twice counts once, and after an end nothing does', () => {
  const answers = new Answers();
  hear(answers, question, { seq: 1, text: 'a' }, { seq: 1, text: 'a' }, question);
  expect(answers.of('t')?.text).toBe('a');
  hear(answers, { seq: 2, final: 'cancelled', text: 'a' }, { seq: 2, text: 'b' });
  hear(answers, { seq: 3, final: 'interrupted', text: 'other', reason: 'no' });
  expect(answers.of('t')).toMatchObject({ text: 'a', state: 'cancelled' });
  expect(answers.of('t')).not.toHaveProperty('reason');
});

test('where tokens are missing the answer says so, until its end brings the whole text', () => {
  const answers = new Answers();
  hear(answers, question, { seq: 1, text: 'a' });
  answers.lost();
  expect(answers.of('t')).toMatchObject({ state: 'unknown', text: 'a', isComplete: true });
  hear(answers, { seq: 4, text: 'd' });
  expect(answers.of('t')).toMatchObject({ state: 'running', text: 'ad', isComplete: false });
  hear(answers, { seq: 5, text: 'e' });
  expect(answers.of('t')?.isComplete).toBe(false);
  hear(answers, { seq: 6, final: 'done', text: 'abcde' });
  expect(answers.of('t')).toMatchObject({ state: 'done', text: 'abcde', isComplete: true });
});

test('a client that comes in the middle, or behind the loss of all but the end, has the whole in the end', () => {
  const answers = new Answers();
  hear(answers, { seq: 7, text: 'g' });
  expect(answers.of('t')).toMatchObject({ text: 'g', isComplete: false });
  answers.lost();
  hear(answers, { seq: 9, final: 'interrupted', text: 'abcdefg', reason: 'it failed' });
  expect(answers.of('t')).toEqual(
    expect.objectContaining({ text: 'abcdefg', state: 'interrupted', reason: 'it failed', isComplete: true }),
  );
});

test("what members publish in an answer's shape is no part of it", () => {
  const answers = new Answers();
  hear(answers, question, { seq: 1, text: 'a' });
  expect(answers.heard(message({ turn: 't', seq: 2, text: 'forged' }, 'mallory'))).toBe(false);
  for (const body of [
    null,
    1,
    'text',
    {},
    { turn: 't' },
    { turn: 't', seq: 2 },
    { turn: 't', seq: 2, text: 3 },
  ]) {
    expect(answers.heard(message(body))).toBe(false);
  }
  expect(answers.of('t')?.text).toBe('a');
});

test('only the newest hundred are kept', () => {
  const answers = new Answers();
  for (let n = 1; n <= 120; n += 1) answers.heard(message({ turn: `t${n}`, seq: 1, text: 'x' }));
  expect([answers.all.length, answers.of('t20'), answers.of('t21')?.text]).toEqual([100, undefined, 'x']);
});

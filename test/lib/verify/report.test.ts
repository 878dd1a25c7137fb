import type { Check } from '../../../lib/verify/check.ts';
import { noTokens } from '../../../lib/verify/clients/tokens.ts';
import { json, type Output, summarize, tableReport } from '../../../lib/verify/report.ts';
import type { Result } from '../../../lib/verify/run-check.ts';

const check = (name: Check['name']): Check => ({
  name,
  title: `Title of ${name}`,
  needs: [],
  run: async () => ({ proved: '' }),
});
const checks = [check('polling'), check('delivery'), check('killed-instance')];
const results: Result[] = [
  { name: 'polling', title: 'Title of polling', status: 'passed', proved: '4 sessions', ms: 40 },
  {
    name: 'delivery',
    title: 'Title of delivery',
    status: 'failed',
    found: '1 of 2 arrived',
    cause: 'no backplane',
    fix: 'set it',
    ms: 5_200,
  },
  { name: 'killed-instance', title: 'Title of killed', status: 'not-proved', reason: 'not here', ms: 0 },
];

function capture(shape: Partial<Output> = {}) {
  let text = '';
  const output: Output = {
    ...shape,
    write: (more) => {
      text += more;
    },
  };
  return { output, text: () => text };
}

const url = 'http://a.example';
const summaryOf = (list: readonly Result[], interrupted = false) =>
  summarize(
    { target: { url }, tokens: noTokens, startedAt: new Date(0), ms: 5_400, interrupted, rateLimited: 0 },
    list,
  );

function table(shape: Partial<Output> = {}): string {
  const { output, text } = capture(shape);
  const report = tableReport(output, checks);
  report.begin({ url }, noTokens, { clients: 1, messages: 20 });
  for (const result of results) {
    report.started(check('polling'));
    report.finished(result);
  }
  report.end(summaryOf(results));
  return text();
}

test('the table is aligned and plain where there is no terminal', () => {
  expect(
    table(),
  ).toBe(`Verifying http://a.example (nothing is added or killed there): 1 client an instance, 20 messages each

✓ polling           40 ms  4 sessions
✗ delivery          5.2 s  Title of delivery: no
                           found:  1 of 2 arrived
                           likely: no backplane
                           fix:    set it
– killed-instance          not proved: not here

3 checks: 1 passed, 1 failed, 1 not proved in 5.4 s.
`);
});

test('a terminal gets color and lines that fit it', () => {
  const text = table({ isTTY: true, columns: 40 });
  expect(text).toContain('\u001b[');
  expect(text).toContain('polling …');
});

test('long text is wrapped under itself', () => {
  const { output, text } = capture({ columns: 74 });
  const proved = '10 clients on 2 instances, 20 messages each: 2,000 of 2,000 deliveries';
  tableReport(output, [check('polling')]).finished({ ...(results[0] as Result), proved } as Result);
  expect(text()).toBe(
    '✓ polling   40 ms  10 clients on 2 instances, 20 messages each: 2,000 of\n' +
      '                   2,000 deliveries\n',
  );
});

test('what could not be proved is said below what was', () => {
  const { output, text } = capture();
  const partly = { ...(results[0] as Result), notProved: ['this', 'that'] } as Result;
  tableReport(output, [check('polling')]).finished(partly);
  expect(text()).toBe(
    '✓ polling   40 ms  4 sessions\n                   not proved: this\n                   not proved: that\n',
  );
});

test('the heading says what the clients show', () => {
  const { output, text } = capture();
  const tokens = { kind: 'guests', of: async () => 'x', nextUser: () => 0 } as const;
  tableReport(output, checks).begin({ url }, tokens, { clients: 1, messages: 2 });
  expect(text()).toContain("2 messages each, with guests' tokens\n");
});

test('JSON is one object that holds the results as they are', () => {
  expect(JSON.parse(json(summaryOf(results)))).toEqual({
    ok: false,
    url,
    tokens: 'none',
    startedAt: '1970-01-01T00:00:00.000Z',
    ms: 5_400,
    passed: 1,
    failed: 1,
    notProved: 1,
    interrupted: false,
    rateLimited: 0,
    checks: results,
  });
});

test('that a limit made clients wait is said, and is no fault', () => {
  const { output, text } = capture();
  tableReport(output, checks).end({ ...summaryOf(results.slice(0, 1)), rateLimited: 3 });
  expect(text()).toBe(
    '  a limit of the service made clients wait 3 times\n\n1 check: 1 passed, 0 failed, 0 not proved in 5.4 s.\n',
  );
});

test('only what was proved is ok', () => {
  const [passed, failed, notProved] = results as [Result, Result, Result];
  expect(summaryOf([passed, notProved]).ok).toBe(true);
  expect(summaryOf([passed, failed]).ok).toBe(false);
  expect(summaryOf([passed], true).ok).toBe(false);
  expect(summaryOf([notProved]).ok).toBe(false);
  expect(summaryOf([]).ok).toBe(false);
});

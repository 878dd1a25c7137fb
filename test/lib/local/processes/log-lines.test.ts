import { renderLine } from '../../../../lib/local/processes/log-lines.ts';

const app = { id: 'app-1', kind: 'instance' } as const;
const redis = { id: 'redis', kind: 'redis' } as const;

test.each([
  [
    'a warning',
    app,
    '{"level":40,"time":1,"pid":2,"msg":"slow","ms":12}',
    'stdout',
    'app-1 | warn  slow ms=12',
  ],
  ['a labelled level', app, '{"level":"error","instance":"app-1","msg":"no"}', 'stdout', 'app-1 | error no'],
  [
    'an error object',
    app,
    '{"level":50,"msg":"x","err":{"message":"y z","stack":"…"}}',
    'stdout',
    'app-1 | error x err="y z"',
  ],
  ['information', app, '{"level":30,"msg":"hello"}', 'stdout', undefined],
  ['plain text', app, 'hello', 'stdout', undefined],
  ['plain text on standard error', app, 'TypeError: x', 'stderr', 'app-1 | TypeError: x'],
  ['what only looks like JSON', app, '{oops', 'stderr', 'app-1 | {oops'],
  ['an empty line', app, '', 'stderr', undefined],
  ['what Redis says', redis, '# WARNING overcommit', 'stdout', undefined],
] as const)('%s', (_what, part, text, stream, shown) => {
  expect(renderLine(part, text, stream, false)).toBe(shown);
});

test('a value that would fill the terminal is cut', () => {
  const line = JSON.stringify({
    level: 'warn',
    ts: 1.5,
    logger: 'livekit',
    msg: 'gone',
    sdp: 'v'.repeat(30_000),
  });
  expect(renderLine(app, line, 'stdout', false)).toBe(`app-1 | warn  gone sdp=${'v'.repeat(200)}…`);
  expect(renderLine(app, line, 'stdout', true)).toHaveLength(30_000 + 'app-1 | warn  gone sdp='.length);
});

test('so is a line of bundled code', () => {
  const line = 'x'.repeat(100_000);
  expect(renderLine(app, line, 'stderr', false)).toBe(`app-1 | ${'x'.repeat(1_000)}…`);
  expect(renderLine(app, line, 'stderr', true)).toBe(`app-1 | ${line}`);
});

test('verbose shows everything', () => {
  expect(renderLine(app, '{"level":30,"msg":"hello"}', 'stdout', true)).toBe('app-1 | info  hello');
  expect(renderLine(redis, 'Ready', 'stdout', true)).toBe('redis | Ready');
});

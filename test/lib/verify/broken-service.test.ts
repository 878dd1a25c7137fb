import { mint } from '../../../lib/verify/mint.ts';
import type { Result } from '../../../lib/verify/run.ts';
import { openBrokenService, type ServiceBreaks, secret } from './broken-service.ts';
import { type Outcome, resultsOf, runVerify, stateFolder } from './run-verify.ts';

const folder = stateFolder();
afterAll(() => folder.remove());

const light = ['--json', '--clients', '2', '--messages', '5', '--timeout', '8', '--instances', '1'];

async function verifyOf(breaks: ServiceBreaks, words: string[], hasKey = true): Promise<Outcome> {
  const { url, close } = await openBrokenService(breaks);
  try {
    const secrets = hasKey ? { authSecret: secret } : {};
    return await runVerify([...light, '--url', url, ...words], { stateFolder: folder.path, secrets });
  } finally {
    await close();
  }
}

async function check(name: string, breaks: ServiceBreaks): Promise<Result | undefined> {
  return resultsOf(await verifyOf(breaks, ['--only', name]))[name];
}

/** It takes as long as a service may take to tell a leave: the other tests run meanwhile. */
let neverTold: Promise<Result | undefined>;

beforeAll(() => {
  neverTold = check('presence', { graceMs: 600_000 });
});

test('each holds where nothing is broken, and says what it could not prove', async () => {
  const outcome = await verifyOf({}, ['--only', 'authorization,ai-stream,presence']);
  expect(outcome).toMatchObject({ code: 0, errors: '' });
  expect(JSON.parse(outcome.output)).toMatchObject({ tokens: 'minted', passed: 3 });
  expect(resultsOf(outcome)).toMatchObject({
    authorization: {
      proved: expect.stringMatching(
        /no token, garbage, .* and an expired token: 72 handshakes refused in chat, llm, bots and backtests; a foreign origin is refused \(polling 403, WebSocket 400\); a room that the token does not name refuses join and publish; .*HTTP publishes without the service token get 401 and 403$/,
      ),
      notProved: [expect.stringContaining('no --service-token')],
    },
    'ai-stream': {
      proved: expect.stringMatching(
        /^60 chunks of an answer at each of 2 clients .* whole text; another one cancelled/,
      ),
      notProved: [expect.stringContaining('there is one')],
    },
    presence: {
      proved: expect.stringMatching(
        /^3 clients on 1 instance see one another; 1 user that went told to all 2/,
      ),
    },
  });
});

const broken: readonly (ServiceBreaks & {
  what: string;
  name: string;
  found: RegExp;
  cause: RegExp;
  fix: RegExp;
})[] = [
  {
    what: 'a hub without authentication',
    openHubs: ['backtests'],
    name: 'authorization',
    found: /^backtests of only takes no token, backtests of only takes garbage, .*, 2 more$/,
    cause: /opened without the middleware/,
    fix: /give its namespace `authenticateHandshakes`/,
  },
  {
    what: 'the first hub without authentication',
    openHubs: ['chat'],
    name: 'authorization',
    found: /^chat of only takes no token, which llm, bots and backtests refused$/,
    cause: /opened without the middleware/,
    fix: /open every hub by `openHub`/,
  },
  {
    what: 'nobody looks at Origin',
    anyOrigin: true,
    name: 'authorization',
    found: /^a page of https:\/\/verify-foreign.invalid may connect over polling and WebSocket$/,
    cause: /nobody looks at Origin/,
    fix: /refuse foreign origins in `allowRequest`/,
  },
  {
    what: 'rooms that a token does not name',
    anyRoom: true,
    name: 'authorization',
    found: /^a token for chat\/verify-\w+-allowed may join and publish to chat\/verify-\w+-forbidden$/,
    cause: /does not look at the token's `rooms`/,
    fix: /ask `grantByClaims`/,
  },
  {
    what: 'clients that publish to feeds',
    openFeeds: true,
    name: 'authorization',
    found: /^a client may publish to llm; a client may publish to bots; a client may publish to backtests$/,
    cause: /not defined with `publishers: backends`/,
    fix: /`defineFeed`/,
  },
  {
    what: 'an HTTP API for whoever comes',
    openHttp: true,
    name: 'authorization',
    found: /^HTTP publishes without the service token get 201$/,
    cause: /looks at no service token/,
    fix: /SERVICE_TOKEN on every instance/,
  },
  {
    what: 'leaves that are told at once',
    graceMs: 0,
    name: 'presence',
    found: /^a leave was told \d+ ms after it$/,
    cause: /there is no grace/,
    fix: /longer than a reconnect/,
  },
  {
    what: 'leaves of who is there',
    falseLeaves: true,
    name: 'presence',
    found: /^\d leaves? told of clients that never went$/,
    cause: /a member that lives on elsewhere is struck out/,
    fix: /only where no other instance holds that user/,
  },
  {
    what: 'a presence without anybody',
    nobodyPresent: true,
    name: 'presence',
    found: /^3 of 3 clients did not see everyone: one on only sees 0 of 3$/,
    cause: /answers `presence` with nobody/,
    fix: /ACL/,
  },
  {
    what: 'tokens that are dropped',
    chunks: (chunks) => chunks.filter(({ seq }) => seq !== 7),
    name: 'ai-stream',
    found:
      /^2 of 2 clients heard an answer wrongly; one on only: 59 chunks: 1 missing and together not the text/,
    cause: /some never come/,
    fix: /append every chunk/,
  },
  {
    what: 'tokens that are repeated',
    chunks: (chunks) => chunks.flatMap((chunk) => (chunk.seq === 7 ? [chunk, chunk] : [chunk])),
    name: 'ai-stream',
    found: /one on only: 61 chunks: 1 repeated and together not the text that the end has$/,
    cause: /sent again is appended again/,
    fix: /the id `turn:seq`/,
  },
  {
    what: 'an answer that ends twice',
    ends: 2,
    name: 'ai-stream',
    found: /one on only: 60 chunks: 2 ends$/,
    cause: /not in the step that changes its state/,
    fix: /in one script/,
  },
  {
    what: 'an answer that never ends',
    ends: 0,
    name: 'ai-stream',
    found: /one on only: 60 chunks: 0 ends$/,
    cause: /ended it without a word/,
    fix: /append the end/,
  },
  {
    what: 'an answer that is not cancelled',
    neverCancels: true,
    name: 'ai-stream',
    found: /one on only: 300 chunks: ended done$/,
    cause: /`cancel` did not reach the instance/,
    fix: /whether the turn still runs/,
  },
];

test.each(broken)('$what: $name names the cause', async ({ name, found, cause, fix, what: _, ...breaks }) => {
  expect(await check(name, breaks)).toMatchObject({
    status: 'failed',
    found: expect.stringMatching(found),
    cause: expect.stringMatching(cause),
    fix: expect.stringMatching(fix),
  });
});

test('leaves that are never told: presence names the cause', async () => {
  expect(await neverTold).toMatchObject({
    status: 'failed',
    found: expect.stringMatching(/^2 of 2 clients \(on only\) still see a member 1\d\.\d s after it went$/),
    cause: expect.stringContaining('leaves are not told'),
    fix: expect.stringContaining('faults of presence'),
  });
});

const soon = () => Math.floor(Date.now() / 1_000) + 60;

test.each([
  ['none', [], /wants a token and lets no guests in \(POST \/api\/session: HTTP 404.*: give --token/],
  ['garbage', ['--token', 'a.b.c'], /refuses the token: .* Give another --token/],
  ['an old one', ['--token', mint({ sub: 'u', exp: 1 }, secret)], /refuses the token: the token has expired/],
  [
    'one for other rooms',
    ['--token', mint({ sub: 'u', exp: soon(), rooms: ['chat/lobby'] }, secret)],
    /opens chat\/lobby alone, and the checks use rooms verify-\*: give one for chat\/verify-\*/,
  ],
])('a token is asked for, and there is %s: told before any check', async (_what, words, told) => {
  const { code, output, errors } = await verifyOf({}, [...words, '--only', 'delivery'], false);
  expect({ code, output }).toEqual({ code: 2, output: '' });
  expect(errors).toMatch(told);
  expect(errors).not.toContain(secret);
});

test('a given token makes all clients one user, which is said', async () => {
  const token = mint({ sub: 'somebody', exp: soon(), rooms: ['chat/verify-*'] }, secret);
  const words = ['--token', token, '--only', 'delivery,repeated-id,authorization,presence'];
  const outcome = await verifyOf({}, words, false);
  expect(outcome).toMatchObject({ code: 0, errors: '' });
  expect(resultsOf(outcome)).toMatchObject({
    delivery: { status: 'passed' },
    'repeated-id': { notProved: [expect.stringContaining('one user')] },
    presence: { proved: expect.stringContaining('3 clients of 1 user'), notProved: expect.any(Array) },
  });
});

test('where nobody is authenticated, that is said and the rest is proved', async () => {
  const outcome = await verifyOf({ isOpen: true }, ['--only', 'authorization'], false);
  expect(resultsOf(outcome).authorization).toMatchObject({
    status: 'passed',
    proved: expect.stringMatching(/^a foreign origin is refused/),
    notProved: expect.arrayContaining([expect.stringContaining('nobody is authenticated (AUTH=none)')]),
  });
});

import { presenceCheck } from '../../../../lib/verify/checks/hubs/presence.ts';
import { mint } from '../../../../lib/verify/clients/jwt.ts';
import { noTokens } from '../../../../lib/verify/clients/tokens.ts';
import { runChecks } from '../../../../lib/verify/run.ts';
import type { Result } from '../../../../lib/verify/run-check.ts';
import { type Outcome, resultsOf, runVerify, stateFolder } from '../run-verify.ts';
import { openBrokenService, type ServiceBreaks, secret } from './broken-service.ts';

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

async function check(name: string, breaks: ServiceBreaks, words: string[] = []): Promise<Result | undefined> {
  return resultsOf(await verifyOf(breaks, ['--only', name, ...words]))[name];
}

test('each holds where nothing is broken, and says what it could not prove', async () => {
  const only = 'delivery,gap-detection,repeated-id,recovery,authorization,ai-stream,presence';
  const outcome = await verifyOf({}, ['--only', only]);
  expect(outcome.code).toBe(0);
  expect(JSON.parse(outcome.output)).toMatchObject({ tokens: 'minted', passed: 7 });
  expect(resultsOf(outcome)).toMatchObject({
    delivery: { notProved: ['that messages reach clients of another instance: one instance answers'] },
    recovery: { notProved: ['that a client recovers on another instance: one instance answers'] },
    authorization: {
      proved: expect.stringMatching(
        /no token, garbage, .* and an expired token: 72 handshakes rejected in chat, llm, bots and backtests; a foreign origin is rejected \(polling 403, WebSocket 400\); a room that the token does not name rejects join and publish; .*HTTP publishes without the service token get 401 and 403$/,
      ),
      notProved: [expect.stringContaining('no --service-token')],
    },
    'ai-stream': {
      proved: expect.stringMatching(
        /^60 chunks of an answer at each of 2 clients .* whole text; another one cancelled/,
      ),
      notProved: [expect.stringContaining('one instance answers')],
    },
    presence: {
      proved: expect.stringMatching(
        /^3 clients on 1 instance see one another; all 2 notified of 1 user that went/,
      ),
    },
  });
});

interface Broken extends ServiceBreaks {
  readonly what: string;
  readonly name: string;
  /** Of what is no wait in vain, and may take long on a busy machine. */
  readonly timeoutSeconds?: number;
  readonly found: RegExp;
  readonly cause: RegExp;
  readonly fix: RegExp;
}

const broken: readonly Broken[] = [
  {
    what: 'publishes that are all acknowledged at one offset',
    publish: ({ epoch }) => ({ epoch, offset: 1 }),
    name: 'delivery',
    found: /^20 of 20 deliveries arrived: 9 acknowledged at another position than they were delivered at$/,
    cause: /a position that their message does not have/,
    fix: /that its append to the log returned/,
  },
  {
    what: 'an unknown epoch that passes for a good one',
    join: ({ lost: _lost, ...reply }) => ({ ...reply, recovered: true }),
    name: 'gap-detection',
    found: /^6 of 10 joins got a wrong reply; an unknown epoch at only: recovered: true; a position ahead/,
    cause: /clients miss messages unsaid/,
    fix: /reply `recovered: false` unless the epoch/,
  },
  {
    what: 'an acknowledged publish that is gone, unsaid',
    join: ({ lost: _lost, ...reply }) => reply,
    name: 'gap-detection',
    found: /^2 of 10 joins .* ahead of the log at only: recovered: false without lost.acked$/,
    cause: /clients miss messages unsaid/,
    fix: /recovered: false/,
  },
  {
    what: 'positions that are never served',
    join: (reply, { since }) => (since ? { ...reply, recovered: false, messages: [] } : reply),
    name: 'gap-detection',
    found:
      /^4 of 10 joins got a wrong reply; a position 3 back at only: recovered: false; the newest position/,
    cause: /the log no longer held what the clients had missed/,
    fix: /ROOM_LOG_MESSAGES/,
  },
  {
    what: 'a recovery that leaves the newest message out',
    join: (reply, { since }) => (since ? { ...reply, messages: reply.messages.slice(0, -1) } : reply),
    name: 'recovery',
    found:
      /^3 clients cut off \(back to where they were 3 times\): 17 of 20 deliveries arrived: 3 lost; only to only lost 3 of 20$/,
    cause: /gets `recovered: true` without all that it missed/,
    fix: /or with `recovered: false`/,
  },
  {
    what: 'a recovery that gives up',
    join: (reply, { since }) => (since ? { ...reply, recovered: false, messages: [] } : reply),
    name: 'recovery',
    found: /^3 clients cut off .*: 5 of 20 deliveries arrived: 15 lost and 3 losses notified to clients/,
    cause: /its retention is too short, or Redis lost writes/,
    fix: /raise ROOM_LOG_MESSAGES/,
  },
  {
    what: 'a sender that is another one at each connection',
    subjectOf: ({ id }) => id,
    name: 'repeated-id',
    found:
      /^4 of 4 repeats after coming back got a position of their own and 20 deliveries came instead of 12$/,
    cause: /taken for another sender/,
    fix: /let `subjectOf` name the user/,
  },
  {
    what: 'senders that are all the same',
    subjectOf: () => 'everyone',
    name: 'repeated-id',
    found: /^5 messages of different senders share 3 positions and 8 deliveries came instead of 12$/,
    cause: /one can make the message of another disappear/,
    fix: /the sender's subject/,
  },
  {
    what: 'ids that are not looked up',
    forgetsIds: true,
    name: 'repeated-id',
    found:
      /^8 of 8 repeats on the same connection got a position of their own, 4 of 4 repeats after coming back/,
    cause: /the ids of publishes are not looked up/,
    fix: /in the one script that appends/,
  },
  {
    what: 'a hub without authentication',
    openHubs: ['backtests'],
    name: 'authorization',
    found: /^backtests of only accepts no token, backtests of only accepts garbage, .*, 2 more$/,
    cause: /opened without the middleware/,
    fix: /give its namespace `authenticateHandshakes`/,
  },
  {
    what: 'the first hub without authentication',
    openHubs: ['chat'],
    name: 'authorization',
    found: /^chat of only accepts no token, which llm, bots and backtests rejected$/,
    cause: /opened without the middleware/,
    fix: /open every hub by `openHub`/,
  },
  {
    what: 'nobody looks at Origin',
    anyOrigin: true,
    name: 'authorization',
    found: /^a page of https:\/\/verify-foreign.invalid may connect over polling and WebSocket$/,
    cause: /nobody looks at Origin/,
    fix: /reject foreign origins in `allowRequest`/,
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
    what: 'leaves of who is there',
    falseLeaves: true,
    name: 'presence',
    found: /^\d leaves? showed of clients that never went$/,
    cause: /a member that lives on elsewhere is struck out/,
    fix: /only where no other instance holds that user/,
  },
  {
    what: 'a presence without anybody',
    nobodyPresent: true,
    name: 'presence',
    found: /^3 of 3 clients did not see everyone: one on only sees 0 of 3$/,
    cause: /replies to `presence` with nobody/,
    fix: /ACL/,
  },
  {
    what: 'tokens that are dropped',
    chunks: (chunks) => chunks.filter(({ seq }) => seq !== 7),
    name: 'ai-stream',
    found:
      /^2 of 2 clients got an answer wrongly; one on only: 59 chunks: 1 missing and together not the text/,
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
    cause: /not the step that changes its state/,
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
    timeoutSeconds: 60,
    found: /one on only: 300 chunks: ended done$/,
    cause: /`cancel` did not reach the instance/,
    fix: /whether the turn still runs/,
  },
];

test('a service without hubs of SignalR: signalr', async () => {
  expect(await check('signalr', {})).toMatchObject({
    status: 'failed',
    found: 'POST /chathub/negotiate gets HTTP 404: nothing is served there',
    cause: expect.stringMatching(/^a proxy passes only some paths on, .* a version without SignalR's hubs$/),
    fix: expect.stringContaining('location /'),
  });
});

/** Runs the check of presence with expectations of its own. */
async function checkPresence(graceMs: number, expectations: Parameters<typeof presenceCheck>[0]) {
  const { url, close } = await openBrokenService({ isOpen: true, graceMs });
  const plan = { target: { url }, tokens: noTokens, load: { clients: 2, messages: 5 }, timeoutMs: 2_000 };
  const progress = { started: () => undefined, finished: () => undefined };
  const { signal } = new AbortController();
  const [result] = await runChecks([presenceCheck(expectations)], { ...plan, signal }, progress);
  await close();
  return result;
}

test('leaves that show at once: presence', async () => {
  // On a busy machine what shows at once may take seconds.
  const expectations = { shortestGraceMs: 60_000, patienceMs: 60_000 };
  expect(await checkPresence(0, expectations)).toMatchObject({
    status: 'failed',
    found: expect.stringMatching(/^a leave showed \d+ ms after it$/),
    cause: expect.stringContaining('there is no grace'),
    fix: expect.stringContaining('longer than a reconnect'),
  });
});

test('leaves that never show: presence', async () => {
  expect(await checkPresence(600_000, { patienceMs: 2_000 })).toMatchObject({
    status: 'failed',
    found: expect.stringMatching(/^2 of 2 clients \(on only\) still see a member \d+\.\d s after it went$/),
    cause: expect.stringContaining('leaves are not published'),
    fix: expect.stringContaining('faults of presence'),
  });
});

describe('the check names the cause', () => {
  const isOfContract = ({ name }: Broken) => !['authorization', 'presence', 'ai-stream'].includes(name);
  const results = new Map<string, Result | undefined>();

  /** Several at once: most of their time is spent waiting for what never comes. */
  beforeAll(async () => {
    const waiting = [...broken].reverse();
    const work = async () => {
      for (let each = waiting.shift(); each; each = waiting.shift()) {
        const { what, name, timeoutSeconds, found: _found, cause: _cause, fix: _fix, ...breaks } = each;
        const words = timeoutSeconds ? ['--timeout', String(timeoutSeconds)] : [];
        const service = isOfContract(each) ? { isOpen: true, ...breaks } : breaks;
        results.set(what, await check(name, service, words));
      }
    };
    await Promise.all(Array.from({ length: 6 }, work));
  });

  test.each(broken)('$what: $name', ({ what, found, cause, fix }) => {
    expect(results.get(what)).toMatchObject({
      status: 'failed',
      found: expect.stringMatching(found),
      cause: expect.stringMatching(cause),
      fix: expect.stringMatching(fix),
    });
  });
});

/** The tokens below are made when this file is read, which on a busy machine is minutes before they are used. */
const inAnHour = Math.floor(Date.now() / 1_000) + 3_600;

test.each([
  ['none', [], /wants a token and lets no guests in \(POST \/api\/session: HTTP 404.*: give --token/],
  ['garbage', ['--token', 'a.b.c'], /rejects the token: .* Give another --token/],
  ['an old one', ['--token', mint({ sub: 'u', exp: 1 }, secret)], /The token ended \d+,\d+ days ago/],
  [
    'one of another key',
    ['--token', mint({ sub: 'u', exp: inAnHour }, 'another key of 32 characters or more')],
    /rejects the token: the token's signature does not hold/,
  ],
  [
    'one for other rooms',
    ['--token', mint({ sub: 'u', exp: inAnHour, rooms: ['chat/lobby'] }, secret)],
    /opens chat\/lobby alone, and the checks use rooms verify-\*: give one for chat\/verify-\*/,
  ],
])('a token is asked for, and there is %s: said before any check', async (_what, words, said) => {
  const { code, output, errors } = await verifyOf({}, [...words, '--only', 'delivery'], false);
  expect(code).toBe(2);
  expect(errors).toMatch(said);
  expect(JSON.parse(output)).toEqual({
    ok: false,
    error: { kind: 'token', message: expect.stringMatching(said) },
  });
  expect(output + errors).not.toContain(secret);
  expect(output + errors).not.toContain('eyJ');
});

test('a given token makes all clients one user, which is said', async () => {
  const token = mint({ sub: 'somebody', exp: inAnHour, rooms: ['chat/verify-*'] }, secret);
  const words = ['--token', token, '--only', 'delivery,repeated-id,authorization,presence'];
  const outcome = await verifyOf({}, words, false);
  expect(outcome.code).toBe(0);
  expect(resultsOf(outcome)).toMatchObject({
    delivery: { status: 'passed' },
    'repeated-id': { notProved: expect.arrayContaining([expect.stringContaining('one user')]) },
    presence: { proved: expect.stringContaining('3 clients of 1 user'), notProved: expect.any(Array) },
  });
});

test('where nobody is authenticated, that is said and the rest is proved', async () => {
  const outcome = await verifyOf({ isOpen: true }, ['--only', 'authorization'], false);
  expect(resultsOf(outcome).authorization).toMatchObject({
    status: 'passed',
    proved: expect.stringMatching(/^a foreign origin is rejected/),
    notProved: expect.arrayContaining([expect.stringContaining('nobody is authenticated (AUTH=none)')]),
  });
});

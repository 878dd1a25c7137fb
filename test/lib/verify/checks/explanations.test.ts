import { freePort } from '../../../../lib/local/processes/ports.ts';
import type { DeliveryReport } from '../../../../lib/verify/accounting/delivery-report.ts';
import { explainConnection } from '../../../../lib/verify/checks/connecting/explain-connection.ts';
import { explainExchange } from '../../../../lib/verify/checks/delivery/explain-exchange.ts';
import { describeError } from '../../../../lib/verify/target/request.ts';

const whole: DeliveryReport = {
  senders: 2,
  receivers: 2,
  published: 4,
  unacknowledged: 0,
  expected: 8,
  arrived: 8,
  lost: 0,
  duplicated: 0,
  outOfOrder: 0,
  rewritten: 0,
  skipped: 0,
  misplaced: 0,
  notified: 0,
  routes: [
    { from: 'app-1', to: 'app-1', expected: 4, lost: 0 },
    { from: 'app-1', to: 'app-2', expected: 4, lost: 0 },
  ],
};
const cut = [
  { from: 'app-1', to: 'app-1', expected: 4, lost: 0 },
  { from: 'app-1', to: 'app-2', expected: 4, lost: 4 },
];
const leak = [
  { from: 'app-1', to: 'app-1', expected: 4, lost: 0 },
  { from: 'app-1', to: 'app-2', expected: 4, lost: 1 },
];
const calm = { rejections: [] };
const cameBack = { ...calm, cameBack: true };
const limited = { rejections: ['publish: rate_limited, try again in 20 ms'] };
const rejected = { rejections: ['publish: unavailable, the backplane is away'] };
let nowhere: string;

beforeAll(async () => {
  nowhere = `http://127.0.0.1:${await freePort()}`;
});

test.each([
  ['nothing between two instances', { lost: 4, arrived: 4, routes: cut }, calm, /no backplane/],
  ['a little between them', { lost: 1, arrived: 7, routes: leak }, calm, /only in part/],
  ['a little, and connections ended', { lost: 1, routes: leak }, { ...calm, ended: 2 }, /connections ended/],
  ['rejected publishes', { unacknowledged: 1 }, rejected, /can not reach the backplane/],
  ['publishes over a limit', { unacknowledged: 1 }, limited, /limits what one user publishes/],
  ['repeats', { duplicated: 3 }, calm, /receives from the backplane twice/],
  ['disorder', { outOfOrder: 3 }, calm, /took two ways/],
  ['offsets without a message', { skipped: 2 }, calm, /counted outside the log/],
  ['an acknowledgement of its own', { misplaced: 2 }, calm, /not the one of the append/],
  ['losses that were notified', { lost: 1, routes: leak, notified: 1 }, cameBack, /Redis lost writes/],
  ['a loss of who came back', { lost: 1, routes: leak }, cameBack, /without all that it missed/],
  ['repeats of who came back', { duplicated: 1 }, cameBack, /messages that it had/],
  ['repeats at a position of their own', { duplicated: 1, rewritten: 1 }, cameBack, /written again/],
])('%s: the likely cause', async (_what, change, seen, cause) => {
  const fault = await explainExchange(nowhere, { ...whole, ...change }, seen);
  expect(fault.cause).toMatch(cause);
  expect(fault.fix).not.toBe('');
});

test('what was seen is said in numbers', async () => {
  const { found } = await explainExchange(nowhere, { ...whole, lost: 4, arrived: 4, routes: cut }, calm);
  expect(found).toBe('4 of 8 deliveries arrived: 4 lost; app-1 to app-2 lost 4 of 4');
});

test.each([
  [
    { message: 'xhr poll error', description: 400, context: { responseText: '{"code":1}' } },
    'HTTP 400 {"code":1}',
  ],
  [{ message: 'xhr poll error', description: 0 }, 'no HTTP response'],
  [
    { message: 'websocket error', description: { message: 'Unexpected server response: 502' } },
    'Unexpected server response: 502',
  ],
  [{ message: 'Invalid namespace' }, 'Invalid namespace'],
  [
    { message: 'x:SSL routines:ssl3_get_record:wrong version number:a.c:1:\n' },
    'TLS failed, wrong version number',
  ],
])('%j in words', (error, words) => {
  expect(describeError(error)).toBe(words);
});

test.each([
  ['Unexpected server response: 502', /no instance that takes requests/],
  ['HTTP 403 {"code":4,"message":"the instance is starting"}', /an instance that is not ready/],
  ['HTTP 404 Not Found', /nothing serves/],
  ['Invalid namespace', /without the hub/],
  ['nothing within 30 s', /nobody answers/],
  ['publish: unavailable, the backplane is away', /lost its backplane/],
  ['Unexpected server response: 429', /limits how often one address/],
  ['no token: give one in auth.token, or by accessTokenFactory', /AUTH differs/],
  ["the token's signature does not hold", /AUTH_SECRET or AUTH_JWKS_URL differs/],
  ['the token has expired: get a new one', /ended during the run/],
  ["the keys can't be fetched now: try again", /does not reach the address of AUTH_JWKS_URL/],
  ['something new', /not a known one/],
])('"%s": the likely cause', async (words, cause) => {
  expect(await explainConnection(nowhere, 'found', words)).toMatchObject({
    found: 'found',
    cause: expect.stringMatching(cause),
  });
});

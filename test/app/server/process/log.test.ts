import { redact } from '../../../../app/server/process/log.ts';
import { LogDeduplication } from '../../../../app/server/process/log-deduplication.ts';
import { linesOf } from '../../../support/log-lines.ts';
import { eventually } from '../../../support/wait.ts';

const secret = 'hunter2-and-more';
const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl';

describe('secrets do not reach the log', () => {
  test.each<[string, object, string]>([
    ['headers', { headers: { authorization: `Bearer ${secret}`, cookie: `a=b; c="${secret}"` } }, 'm'],
    ['headers with several values', { headers: { 'set-cookie': [secret, secret] } }, 'm'],
    ['a handshake', { handshake: { auth: { token: secret } } }, 'm'],
    ['an environment', { env: { AUTH_SECRET: secret, SERVICE_TOKEN: secret } }, 'm'],
    ['a command in an error', { err: Object.assign(new Error('e'), { command: { args: [secret] } }) }, 'm'],
    ['a cause', { err: new Error('e', { cause: new Error(`redis://user:${secret}@host`) }) }, 'm'],
    ['what is thrown and no error', { err: { password: secret, auth: secret } }, 'm'],
    ['a URL with an @ in its password', {}, `redis://user:p@${secret}@cache:6379 is away`],
    ["StackExchange's shape", {}, `cache:6379,user=app,password=${secret},ssl=true`],
    ['JSON in a message', {}, `got {"token":"${secret}","room":"a"}`],
    ['JSON in JSON in a message', {}, JSON.stringify({ a: JSON.stringify({ password: `q"${secret}` }) })],
    ['a token by its shape', { whatever: jwt }, `of ${jwt} nothing`],
    ['a header in a message', {}, `Authorization: Bearer ${secret}`],
    ['a query', { url: `/socket.io/?token=${secret}&EIO=4` }, 'm'],
    ['a request', { req: { method: 'GET', url: `/x?k=${secret}`, ip: '::1', headers: { x: secret } } }, 'm'],
  ])('%s', (_case, fields, message) => {
    const { log, text, lines } = linesOf();
    log.error(fields, message);
    expect(lines()).toHaveLength(1);
    expect(text()).not.toContain(secret);
    expect(text()).not.toContain(jwt);
  });

  test('what is no secret stays as it is', () => {
    const { log, lines } = linesOf();
    log.info({ room: 'token', user: 'auth', path: 'https://host/a@b', count: 3 }, 'an author: a basic one');
    expect(lines()).toMatchObject([
      { room: 'token', user: 'auth', path: 'https://host/a@b', msg: 'an author: a basic one' },
    ]);
  });

  test('a line that was made to be slow is not', () => {
    const parts = ['"token":', '\\"', 'x://', 'eyJ', 'eyJ-', 'a-', 'token', '\\\\"auth\\\\":\\\\"', 'a.b://'];
    const before = process.cpuUsage();
    for (const part of parts) redact(JSON.stringify({ hostile: part.repeat(20_000) }));
    // By CPU time: unbounded patterns take 7 s for this, bounded ones 0.1.
    expect(process.cpuUsage(before).user / 1e6).toBeLessThan(4);
  });
});

describe('bursts', () => {
  /** The hook by itself: a window of 200 ms in place of 10 s. */
  function bursts() {
    const written: unknown[][] = [];
    const hook = new LogDeduplication(200);
    const method = (...args: unknown[]) => written.push(args);
    const say = (level: number, ...args: unknown[]) =>
      hook.log({} as never, args as never, method as never, level);
    return { written, say };
  }

  test('the same error is written a few times, and at the end of its window how often it was', async () => {
    const { written, say } = bursts();
    for (let n = 0; n < 500; n += 1) say(50, { err: new Error('away'), connection: n }, 'failed');
    say(50, { err: new Error('another') }, 'failed');
    expect(written).toHaveLength(4);
    await eventually('the count', () => written.length === 5);
    expect(written[4]).toMatchObject([
      { repeated: 497, connection: 499, lastAt: expect.any(String) },
      'failed',
    ]);
  });

  test('many different ones are bounded too', () => {
    const { written, say } = bursts();
    for (let n = 0; n < 500; n += 1) say(40, `failed ${n}`);
    expect(written).toHaveLength(103);
  });

  test('info is not held back', () => {
    const { log, lines } = linesOf();
    for (let n = 0; n < 5; n += 1) log.info('joined');
    for (let n = 0; n < 5; n += 1) log.warn('away');
    const said = lines().map(({ msg }) => msg);
    expect(said).toEqual([...Array(5).fill('joined'), ...Array(3).fill('away')]);
  });
});

import type { IncomingMessage } from 'node:http';
import { ProxyWatch } from '../../../../app/server/http/proxy-watch.ts';

function watch(trustedProxyHops: number, everyMs?: number) {
  const warnings: string[] = [];
  const log = { warn: (message: string) => warnings.push(message) };
  const options = { trustedProxyHops, log: log as never };
  return { warnings, proxies: new ProxyWatch(everyMs === undefined ? options : { ...options, everyMs }) };
}

const request = (headers: Record<string, string | string[]>) =>
  ({ headers, socket: { remoteAddress: '::ffff:10.0.0.1' } }) as unknown as IncomingMessage;

/** What a handshake by these proxies is warned of. */
function warned(hops: number, forwardedFor?: string | string[]): string | undefined {
  const { proxies, warnings } = watch(hops);
  proxies.look(request(forwardedFor === undefined ? {} : { 'x-forwarded-for': forwardedFor }));
  expect(warnings.length).toBeLessThan(2);
  return warnings[0];
}

test.each([
  ['no proxy and none trusted', 0, undefined],
  ['as many as are trusted', 1, '203.0.113.7'],
  ['two, in two lines', 2, ['203.0.113.7', '10.1.1.1']],
  ['what a client wrote itself, left of theirs', 1, '198.51.100.1, 203.0.113.7'],
  ['a client inside', 1, '192.168.1.7'],
])('nothing is said of %s', (_case, hops, header) => {
  expect(warned(hops, header)).toBeUndefined();
});

test.each<[string, number, string | undefined, string[]]>([
  [
    'one that is not trusted',
    0,
    '203.0.113.7',
    ['"203.0.113.7"', 'from 10.0.0.1', 'TRUSTED_PROXY_HOPS is 0'],
  ],
  ['one that says nothing', 1, undefined, ['X-Forwarded-For absent', 'has 0 of the 1 addresses']],
  ['one that writes no list', 2, '203.0.113.7', ['"203.0.113.7"', 'has 1 of the 2 addresses', '$proxy_add']],
  [
    'one more than are trusted',
    1,
    '203.0.113.7, 10.2.2.2',
    ['counts as 10.2.2.2', 'TRUSTED_PROXY_HOPS is 1', 'Set it to the number'],
  ],
  ['one more, by IPv6', 1, '203.0.113.7, fd00::1', ['counts as fd00::1']],
])('of %s it says what was seen and what to set', (_case, hops, header, parts) => {
  const warning = warned(hops, header);
  for (const part of parts) expect(warning).toContain(part);
});

test('of a refused page it names the origin, the host that came, and all three ways out', () => {
  const { proxies, warnings } = watch(1);
  proxies.originRefused(request({ origin: 'https://chat.example.com:8443', host: 'chat.example.com' }));
  for (const part of [
    '"https://chat.example.com:8443"',
    'Host is "chat.example.com", X-Forwarded-Host absent, TRUSTED_PROXY_HOPS 1',
    'proxy_set_header Host $http_host',
    'CORS_ORIGINS',
  ])
    expect(warnings[0]).toContain(part);
});

test('each kind is told once in a time, however many come, and again afterwards', () => {
  const { proxies, warnings } = watch(0, 60_000);
  for (let n = 0; n < 1_000; n += 1) {
    proxies.look(request({ 'x-forwarded-for': `203.0.113.${n}` }));
    proxies.originRefused(request({ origin: `https://${n}.example.com` }));
  }
  expect(warnings).toHaveLength(2);
  const eager = watch(0, 0);
  for (let n = 0; n < 3; n += 1) eager.proxies.look(request({ 'x-forwarded-for': '203.0.113.7' }));
  expect(eager.warnings).toHaveLength(3);
});

test('what a stranger writes into headers stays short, and in its quotes', () => {
  const { proxies, warnings } = watch(0);
  const hostile = `\n"},{"level":60 ${'x'.repeat(10_000)}`;
  proxies.look(request({ 'x-forwarded-for': hostile }));
  proxies.originRefused(request({ origin: hostile, host: hostile, 'x-forwarded-host': hostile }));
  for (const warning of warnings) {
    expect(warning).not.toContain('\n');
    expect(warning.length).toBeLessThan(1_500);
  }
});

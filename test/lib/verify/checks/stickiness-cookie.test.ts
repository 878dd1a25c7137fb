import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Server } from 'socket.io';
import {
  keptAcrossSites,
  keptOnOwnSite,
  readCookie,
} from '../../../../lib/verify/checks/connecting/cookie-sessions.ts';
import type { Result } from '../../../../lib/verify/run-check.ts';

const fixture = (name: string) => join(import.meta.dirname, '../fixtures', name);
const entry = join(import.meta.dirname, '../../../../lib/verify/verify.ts');

const plain = 'LB=a1; Path=/';
const none = 'LB=a1; Path=/; SameSite=None';
const both = 'LB=a1; path=/; samesite=none; secure';
const secureOnly = 'LB=a1; Secure';

test.each([
  [plain, { http: [true, false], https: [true, false] }],
  [none, { http: [false, false], https: [false, false] }],
  [both, { http: [false, false], https: [true, true] }],
  [secureOnly, { http: [false, false], https: [true, false] }],
  ['LB=a1; SameSite=Lax', { http: [true, false], https: [true, false] }],
])('what browsers do with %s', (line, kept) => {
  const cookies = [readCookie(line)];
  expect(cookies).toMatchObject([{ name: 'LB', pair: 'LB=a1' }]);
  const seen = (isHttps: boolean) => [
    keptOnOwnSite(cookies, isHttps).length === 1,
    keptAcrossSites(cookies, isHttps).length === 1,
  ];
  expect({ http: seen(false), https: seen(true) }).toEqual(kept);
});

/** A proxy with TLS before several instances: a request of a session goes astray without one of these cookies. */
async function openProxy(setCookies: readonly string[], honours: string) {
  const http = createServer({
    cert: readFileSync(fixture('localhost.cert.pem')),
    key: readFileSync(fixture('localhost.key.pem')),
  });
  http.on('request', (request, response) => {
    if (request.url?.startsWith('/health')) response.end('{"status":"ok"}');
  });
  const io = new Server(http, { serveClient: false });
  io.of('/chat').on('connection', (socket) => socket.emit('welcome', { instance: 'a' }));
  io.engine.use(
    (request: { url: string; headers: { cookie?: string } }, response: never, next: () => void) => {
      const isKnown = !request.url.includes('sid=') || request.headers.cookie?.includes(honours);
      if (isKnown) next();
      else astray(response);
    },
  );
  io.engine.on('initial_headers', (headers: Record<string, unknown>) => {
    headers['set-cookie'] = setCookies;
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return { url: `https://localhost:${(http.address() as AddressInfo).port}`, close: () => io.close() };
}

function astray(response: { writeHead(status: number): { end(body: string): void } }): void {
  response.writeHead(400).end('{"code":1,"message":"Session ID unknown"}');
}

/** In one process of their own, since Node reads the certificates that it trusts once. */
async function verifyEach(proxies: readonly { readonly url: string }[]): Promise<Result[]> {
  const words = ['--json', '--only', 'stickiness-cookie', '--timeout', '5'];
  const program = `
    const { verify } = await import(${JSON.stringify(entry)});
    for (const url of ${JSON.stringify(proxies.map(({ url }) => url))})
      await verify([...${JSON.stringify(words)}, '--url', url], {
        output: process.stdout, errors: process.stderr, signal: new AbortController().signal,
      });
  `;
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: fixture('localhost.cert.pem') };
  const flags = ['--import', 'tsx', '--input-type=module', '--eval', program];
  const { stdout } = await promisify(execFile)(process.execPath, flags, { env });
  const summaries = JSON.parse(`[${stdout.replace(/^}\n{/gm, '},{')}]`) as { checks: Result[] }[];
  return summaries.flatMap(({ checks }) => checks);
}

test('over HTTPS a page of another site needs a cookie for it, which the proxy goes by', async () => {
  const albs = ['AWSALB=x; Path=/', 'AWSALBCORS=x; Path=/; SameSite=None; Secure'];
  const proxies = await Promise.all([
    openProxy(albs, 'AWSALBCORS=x'),
    openProxy(['LB=x; Path=/; Secure; HttpOnly'], 'LB=x'),
    openProxy(albs, 'AWSALB=x'),
  ]);
  const [good, withoutSameSite, ignored] = await verifyEach(proxies);
  for (const proxy of proxies) await proxy.close();
  expect(good).toMatchObject({
    status: 'passed',
    proved: expect.stringMatching(
      /page of the same site sends, 0 astray; 28 requests .* \(AWSALBCORS\), 0 astray$/,
    ),
  });
  expect(withoutSameSite).toMatchObject({
    status: 'failed',
    found: 'LB (no SameSite, Secure): a page of another site sends none of them',
    cause: expect.stringContaining('no cookie carries both SameSite=None and Secure'),
    fix: expect.stringContaining('SameSite=None; Secure'),
  });
  expect(ignored).toMatchObject({
    status: 'failed',
    found: expect.stringMatching(
      /\d+ of 28 requests went astray with what a page of another site sends AWSALBCORS$/,
    ),
    cause: expect.stringContaining('does not go by that cookie'),
  });
});

import type { IncomingMessage } from 'node:http';
import { isAllowedOrigin } from '../../../../app/server/http/origin.ts';

const listed = ['https://app.example.com', 'http://localhost:5173'];

function isAllowed(headers: Record<string, string>, corsOrigins = listed, trustedProxyHops = 0): boolean {
  const request = {
    headers: { host: 'api.example.com', ...headers },
    socket: {},
  } as unknown as IncomingMessage;
  return isAllowedOrigin(request, { corsOrigins, trustedProxyHops });
}

test.each([
  ['none: no browser', {}],
  ['the page of the service itself', { origin: 'https://api.example.com' }],
  ['the same with the port said', { origin: 'https://api.example.com', host: 'api.example.com:443' }],
  ['a port of its own', { origin: 'http://api.example.com:3000', host: 'api.example.com:3000' }],
  ['one that is listed', { origin: 'https://app.example.com' }],
  ['another one that is listed', { origin: 'http://localhost:5173' }],
])('takes an origin: %s', (_case, headers) => {
  expect(isAllowed(headers)).toBe(true);
});

test.each([
  ['another site', { origin: 'https://evil.example' }],
  ['another port', { origin: 'https://api.example.com:8443' }],
  ['a listed host without TLS', { origin: 'http://app.example.com' }],
  ['a name that begins the same', { origin: 'https://app.example.com.evil.example' }],
  ['a name that ends the same', { origin: 'https://evilapi.example.com' }],
  ['a user in front', { origin: 'https://api.example.com@evil.example' }],
  ['a sandboxed frame', { origin: 'null' }],
  ['no URL', { origin: 'garbage' }],
  ['a file', { origin: 'file://' }],
  ['an extension', { origin: 'chrome-extension://abcdef' }],
  [
    'a forwarded host that no proxy vouches for',
    { origin: 'https://evil.example', 'x-forwarded-host': 'evil.example' },
  ],
])('refuses an origin: %s', (_case, headers) => {
  expect(isAllowed(headers)).toBe(false);
});

test('behind a proxy its word counts: the host that was asked, and whether by TLS', () => {
  const asked = {
    host: '10.0.0.7:3000',
    'x-forwarded-host': 'www.example.com',
    'x-forwarded-proto': 'https',
  };
  expect(isAllowed({ ...asked, origin: 'https://www.example.com' }, [], 1)).toBe(true);
  expect(isAllowed({ ...asked, origin: 'http://www.example.com' }, [], 1)).toBe(false);
});

test('`*` takes every page, and an empty list none but its own', () => {
  expect(isAllowed({ origin: 'https://evil.example' }, ['*'])).toBe(true);
  expect(isAllowed({ origin: 'null' }, ['*'])).toBe(true);
  expect(isAllowed({ origin: 'https://app.example.com' }, [])).toBe(false);
});

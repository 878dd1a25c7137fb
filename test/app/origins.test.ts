import { includesOrigin, OriginsError, parseOrigins } from '../../app/origins.ts';

test.each([
  ['', []],
  [' , ', []],
  ['https://a.example.com, https://b.example.com', ['https://a.example.com', 'https://b.example.com']],
  ['https://a.example.com/', ['https://a.example.com']],
  [
    'https://a.example.com:443,http://b.example.com:80/,http://c.example.com:443',
    ['https://a.example.com', 'http://b.example.com', 'http://c.example.com:443'],
  ],
  ['HTTPS://App.Example.COM', ['https://app.example.com']],
  ['https://bücher.example', ['https://xn--bcher-kva.example']],
  ['http://[::1]:5173', ['http://[::1]:5173']],
  ['https://a.example.com,\n\thttps://A.example.com:443/,', ['https://a.example.com']],
  [
    '["https://a.example.com", " http://localhost:5173/ "]',
    ['https://a.example.com', 'http://localhost:5173'],
  ],
  ['[]', []],
  [
    'capacitor://localhost,ionic://LocalHost/,chrome-extension://abcdefghijklmnop,null,file://,file:///',
    ['capacitor://localhost', 'ionic://localhost', 'chrome-extension://abcdefghijklmnop', 'null', 'file://'],
  ],
  ['https://*.Example.com:8443/', ['https://*.example.com:8443']],
  ['*', ['*']],
])('reads %j', (text, origins) => {
  expect(parseOrigins(text)).toEqual(origins);
});

test('takes a list as well', () => {
  expect(parseOrigins(['https://a.example.com/ '])).toEqual(['https://a.example.com']);
});

test.each([
  ['app.example.com', 'has no scheme: write https://app.example.com'],
  ['app.example.com/', 'has no scheme: write https://app.example.com'],
  ['localhost:5173', 'has no scheme: write http://localhost:5173'],
  ['*.example.com', 'has no scheme: write https://*.example.com'],
  ['"https://a.example.com"', 'stands in quotes'],
  ['https://a.example.com/app', 'has more than scheme, host and port: write https://a.example.com'],
  ['https://a.example.com?x', 'has more than scheme, host and port'],
  ['https://user@a.example.com', 'names a user'],
  ['wss://a.example.com', "is where a socket leads: write the page's origin, https://a.example.com"],
  ['ws://localhost:3000', "write the page's origin, http://localhost:3000"],
  ['htps://a.example.com', 'has the scheme htps'],
  ['https://a.example.com:99999', 'has no host that can be'],
  ['https://a b.example.com', 'is no origin'],
  ['https://', 'is no origin'],
  ['https:/a.example.com', 'is no origin'],
  ['https://a.example.com https://b.example.com', 'is no origin'],
  ['[https://a.example.com]', 'is no JSON list of texts'],
  ['[1]', 'is no JSON list of texts'],
  ['["https://a.example.com"', 'is no JSON list of texts'],
  ['["a.example.com"]', 'has no scheme'],
  ['https://*', 'https://*.example.com is the one shape'],
  ['https://*.com', 'https://*.example.com is the one shape'],
  ['https://*.*.example.com', 'https://*.example.com is the one shape'],
  ['https://pr-*.example.com', 'https://*.example.com is the one shape'],
  ['https://app.*.example.com', 'https://*.example.com is the one shape'],
  ['https://*example.com', 'https://*.example.com is the one shape'],
  ['https://*.0.0.1', 'https://*.example.com is the one shape'],
  ['*://a.example.com', 'is no origin'],
  ['chrome-extension://*', 'https://*.example.com is the one shape'],
])('says what is wrong with %j and what to write', (text, fault) => {
  expect(() => parseOrigins(text)).toThrow(fault);
});

test('says all faults at once', () => {
  const read = () => parseOrigins('https://good.example.com,one.example.com,wss://two.example.com');
  try {
    read();
  } catch (error) {
    expect((error as OriginsError).faults).toHaveLength(2);
  }
  expect(read).toThrow(OriginsError);
});

const listed = parseOrigins('https://app.example.com, https://*.preview.example.com, capacitor://localhost');

test.each([
  'https://app.example.com',
  'https://pr-7.preview.example.com',
  'https://a_b.preview.example.com',
  'capacitor://localhost',
])('%s comes in', (origin) => {
  expect(includesOrigin(listed, origin)).toBe(true);
});

test.each([
  'http://app.example.com',
  'https://app.example.com:8443',
  'https://app.example.com.evil.example',
  'https://preview.example.com',
  'https://.preview.example.com',
  'https://a.b.preview.example.com',
  'https://evilpreview.example.com',
  'https://x.preview.example.com.evil.example',
  'https://x.preview.example.com:8443',
  'http://x.preview.example.com',
  'https://evil.example/.preview.example.com',
  'https://evil.example#.preview.example.com',
  'https://evil.example\\.preview.example.com',
  'https://user@x.preview.example.com',
  'https://*.preview.example.com',
  'capacitor://localhost/',
  'capacitor://localhost:1',
  'null',
  'file://',
  '',
  '*',
])('%j does not', (origin) => {
  expect(includesOrigin(listed, origin)).toBe(false);
});

test('`*` lets every page in, `null` those that have no origin', () => {
  expect(includesOrigin(['*'], 'whatever://it.is')).toBe(true);
  expect(includesOrigin(['null'], 'null')).toBe(true);
  expect(includesOrigin(['null'], 'https://app.example.com')).toBe(false);
});

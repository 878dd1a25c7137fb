import { readArguments, UsageError } from '../../../lib/verify/arguments.ts';
import { checkNames } from '../../../lib/verify/check.ts';

test('without words everything has its default', () => {
  expect(readArguments([])).toEqual({
    load: { clients: 5, messages: 20 },
    timeoutMs: 30_000,
    only: checkNames,
    long: false,
    json: false,
    help: false,
  });
});

test('reads every option', () => {
  const words =
    '--url https://a.example:8443/ --stack realtime-prod --instances 3 --clients 2 --messages 7 --timeout 9 --only delivery,polling --json --long --token a.b.c --service-token s';
  expect(readArguments(words.split(' '))).toEqual({
    url: 'https://a.example:8443',
    stack: 'realtime-prod',
    instances: 3,
    load: { clients: 2, messages: 7 },
    timeoutMs: 9_000,
    only: ['polling', 'delivery'],
    token: 'a.b.c',
    serviceToken: 's',
    long: true,
    json: true,
    help: false,
  });
});

test('secrets come from the environment, the first of two; the command line goes before', () => {
  const secrets = { serviceToken: 'new,old', authSecret: 'key,old', authIssuer: 'me', authAudience: '' };
  expect(readArguments([], secrets)).toMatchObject({
    serviceToken: 'new',
    key: { secret: 'key', issuer: 'me' },
  });
  expect(readArguments(['--service-token', 'mine'], secrets)).toMatchObject({ serviceToken: 'mine' });
  expect(readArguments([], { serviceToken: '', authSecret: '' })).not.toHaveProperty('key');
});

test.each([
  [['--clients', '0'], '--clients must be a whole number from 1 to 100, got: 0'],
  [['--clients', '101'], '--clients must be a whole number from 1 to 100, got: 101'],
  [['--clients=-3'], '--clients must be a whole number from 1 to 100, got: -3'],
  [['--messages', '1.5'], '--messages must be a whole number from 1 to 1000, got: 1.5'],
  [['--timeout', '1e2'], '--timeout must be a whole number from 1 to 600, got: 1e2'],
  [['--stack', 'my stack'], '--stack must be the name of a stack such as realtime-prod, got: my stack'],
  [['--instances', ''], '--instances must be a whole number from 1 to 100, got: (nothing)'],
  [['--clients'], "Option '--clients <value>' argument missing"],
  [['--url', 'localhost:8080'], '--url must be http://… or https://…, got: localhost:8080'],
  [['--url', 'ws://a.example'], '--url must be http://… or https://…, got: ws://a.example'],
  [['--url', 'nonsense'], '--url must be http://… or https://…, got: nonsense'],
  [['--url', 'http://a.example/chat'], 'without a path, got: http://a.example/chat; give http://a.example'],
  [['--url', 'http://me:secret@a.example'], 'without a user and a password; give http://a.example'],
  [['--only', 'nothing'], '--only knows cache-available, cache-endpoint'],
  [['--only', ''], 'got: (nothing)'],
  [['--token', 'a b'], '--token must be a token without spaces, got 3 characters that are none'],
  [['--service-token', ''], '--service-token must be a token without spaces, got 0 characters'],
  [['--verbose'], "Unknown option '--verbose'. `npm run verify -- --help` lists the options."],
  [['http://a.example'], "Unexpected argument 'http://a.example'"],
])('%j is refused in words', (words, message) => {
  const read = () => readArguments(words);
  expect(read).toThrow(UsageError);
  expect(read).toThrow(message);
});

test('a password in a URL is not repeated', () => {
  expect(() => readArguments(['--url', 'http://me:secret@a.example'])).toThrow(/^(?!.*secret)/);
});

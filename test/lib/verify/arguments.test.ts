import { readArguments, secretsIn } from '../../../lib/verify/arguments.ts';
import { UsageError } from '../../../lib/verify/errors.ts';
import { checkNames } from '../../../lib/verify/registry.ts';

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
  const rules = { authIssuer: 'me', authAudience: '', authSubjectClaim: 'nameid' };
  const secrets = { serviceToken: 'new,old', authSecret: 'key,old', ...rules };
  expect(readArguments([], secrets)).toMatchObject({
    serviceToken: 'new',
    key: { secret: 'key', issuer: 'me', subjectClaim: 'nameid' },
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
  [['--url', 'http://a.example/chat'], 'got: http://a.example/chat; give http://a.example'],
  [['--url', 'http://me:secret@a.example'], 'without a user and a password; give http://a.example'],
  [['--only', 'nothing'], '--only knows cache-available, cache-endpoint'],
  [['--only', 'delivry,polling'], 'got: delivry. Did you mean delivery?'],
  [['--only', ''], 'got: (nothing)'],
  [['--only', 'cache-users,livekit-turn'], 'cache-users, livekit-turn look at a stack on AWS: give --stack'],
  [['--token', 'a b'], '--token must be a token without spaces, got 3 characters that are none'],
  [['--service-token', ''], '--service-token must be a token without spaces, got 0 characters'],
  [['--verbose'], 'Unknown option --verbose. `npm run verify -- --help` lists the options.'],
  [['--instance', '2'], 'Unknown option --instance. Did you mean --instances?'],
  [['--jsno'], 'Unknown option --jsno. Did you mean --json?'],
  [['--servicetoken=x'], 'Unknown option --servicetoken. Did you mean --service-token?'],
  [['json'], 'Unexpected argument json (number 1): values follow their option. Did you mean --json?'],
  [
    ['--long', 'http://a.example'],
    'Unexpected argument http://a.example (number 2): values follow their option. Did you mean --url?',
  ],
])('%j is rejected in words', (words, message) => {
  const read = () => readArguments(words);
  expect(read).toThrow(UsageError);
  expect(read).toThrow(message);
});

const password = 'hunter2hunter2hunter2';
const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1In0.c2lnbmF0dXJl';

test.each([
  [['--url', `http://me:${password}@a.example`]],
  [['--url', `http://me:${password}@a.example:port/`]],
  [['--url', `http://me:pa/${password}@a.example`]],
  [['--url', `https//me:${password}@a.example`]],
  [['--url', `http://a.example/?token=${password}`]],
  [['--url', `http://a.example/#${password}`]],
  [['--tokn', password]],
  [['--token:', password]],
  [[`--token${password}`]],
  [[`--tokn=${password}`]],
  [[password]],
  [[jwt]],
  [['--long', jwt]],
  [['--token', `${password} ${password}`]],
  [['--instances', jwt]],
  [['--only', jwt]],
])('no part of a secret is repeated: %j', (words) => {
  const fault = (() => {
    try {
      readArguments(words);
      return 'none';
    } catch (error) {
      return (error as Error).message;
    }
  })();
  expect(fault).not.toBe('none');
  expect(fault).not.toContain('hunter2');
  expect(fault).not.toContain('eyJ');
});

test('knows the secrets of a command line that can’t be followed', () => {
  const words = ['--token', 'one', '--service-token=two', '--nonsense', '--token'];
  expect(secretsIn(words, { authSecret: 'three,four' })).toEqual(['one', 'two', '', 'three', 'four']);
});

import { parseArguments, UsageError, usage } from '../../../lib/local/arguments.ts';

test('without options: two instances on a port to be chosen, quietly', () => {
  expect(parseArguments([])).toEqual({
    instances: 2,
    port: undefined,
    drainSeconds: 2,
    shards: 1,
    liveKitNodes: 2,
    roundRobin: false,
    dead: 'skip',
    agent: true,
    verbose: false,
    watch: false,
    entry: undefined,
  });
});

test('all options', () => {
  expect(
    parseArguments([
      '--instances=3',
      '--port=9000',
      '--drain',
      '5',
      '--shards=3',
      '--livekit=0',
      '--no-agent',
      '--round-robin',
      '--dead=502',
      '--verbose',
      '--entry',
      'dist/server.js',
    ]),
  ).toEqual({
    instances: 3,
    port: 9000,
    drainSeconds: 5,
    shards: 3,
    liveKitNodes: 0,
    roundRobin: true,
    dead: 'answer 502',
    agent: false,
    verbose: true,
    watch: false,
    entry: 'dist/server.js',
  });
});

test.each(['0', '1'])('--shards %s is one server', (count) => {
  expect(parseArguments(['--shards', count])).toMatchObject({ shards: 1 });
});

test.each(['--help', '-h'])('%s asks for help', (flag) => {
  expect(parseArguments([flag])).toBe('help');
  expect(usage).toContain('--instances');
});

test.each([
  [['--instances', '0'], '--instances must be a whole number from 1 to 16, got: "0"'],
  [['--instances', '17'], 'got: "17"'],
  [['--instances', '2.5'], 'got: "2.5"'],
  [['--instances='], 'got: ""'],
  [['--round-robin', '--dead', 'drop'], '--dead must be skip or 502, got: "drop"'],
  [['--dead', '502'], 'add --round-robin'],
  [
    ['--port', '99999'],
    '--port must be a whole number from 1 to 65535, got: "99999". For example: --port 8080',
  ],
  [['--port', 'abc'], 'got: "abc"'],
  [['--port', '0'], 'got: "0"'],
  [['--drain', '61'], '--drain must be a whole number from 0 to 60, got: "61"'],
  [['--shards', '9'], '--shards must be a whole number from 0 to 8, got: "9". For example: --shards 3'],
  [['--shards', '2'], "--shards can't be 2: when one of two primaries dies"],
  [['--livekit', '5'], '--livekit must be a whole number from 0 to 4, got: "5"'],
  [['--port', '1e3'], 'got: "1e3"'],
  [['--port'], "Option '--port <value>' argument missing. Run with --help"],
  [['--nonsense'], "Unknown option '--nonsense'. Run with --help"],
  [['--instnces', '3'], "Unknown option '--instnces'. Did you mean --instances? Run with --help"],
  [['stray'], "Unexpected argument 'stray'"],
])('%j is refused with what is wrong, the value and the fix', (args, message) => {
  expect(() => parseArguments(args)).toThrow(UsageError);
  expect(() => parseArguments(args)).toThrow(message);
});

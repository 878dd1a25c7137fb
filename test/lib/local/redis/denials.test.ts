import { parseAclLog } from '../../../../lib/local/redis/denials.ts';

/** As `ACL LOG` answers in RESP 2. */
function answerOf(entries: readonly (readonly (string | number)[])[]): string {
  const scalar = (value: string | number) =>
    typeof value === 'number' ? `:${value}\r\n` : `$${value.length}\r\n${value}\r\n`;
  const lists = entries.map((entry) => `*${entry.length}\r\n${entry.map(scalar).join('')}`);
  return `+OK\r\n*${entries.length}\r\n${lists.join('')}+OK\r\n`;
}

test('each entry is read, whatever its values look like', () => {
  const answer = answerOf([
    ['count', 1, 'reason', 'key', 'context', 'lua', 'object', '$5', 'username', 'app'],
    ['count', 12, 'reason', 'command', 'context', 'toplevel', 'object', ':3', 'username', '*2'],
  ]);
  expect(parseAclLog(answer)).toEqual([
    { count: '1', reason: 'key', context: 'lua', object: '$5', username: 'app' },
    { count: '12', reason: 'command', context: 'toplevel', object: ':3', username: '*2' },
  ]);
});

test.each(['', '+OK\r\n*0\r\n+OK\r\n', '-LOADING Redis is loading\r\n'])('nothing is in %j', (answer) => {
  expect(parseAclLog(answer)).toEqual([]);
});

import { liveKitAcl } from '../../../livekit/config/redis-acl.ts';

test.each([
  [undefined, true],
  ['Valkey 8.1.0', true],
  ['Redis 7.2.4', true],
  ['10.0', true],
  ['Redis 7.0.15', false],
  ['6.2.16', false],
  ['something', false],
])('%p knows client|setinfo: %p', (version, known) => {
  expect(liveKitAcl(version).commands.includes('client|setinfo')).toBe(known);
});

test('commands are named one by one, and none of them reads keys that are not LiveKit’s', () => {
  const { commands, keys } = liveKitAcl();
  expect(commands.filter((command) => !/^[a-z]+(\|[a-z]+)?$/.test(command))).toEqual([]);
  for (const dangerous of ['keys', 'scan', 'flushall', 'config', 'monitor', 'acl']) {
    expect(commands).not.toContain(dangerous);
  }
  expect(keys).not.toContain('*');
});

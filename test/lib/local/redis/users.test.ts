import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { Redis } from 'ioredis';
import { renderAcl, serviceAcl } from '../../../../app/server/redis/acl.ts';
import { redisVersion } from '../../../../lib/local/redis/version.ts';
import type { TopologyState } from '../../../../lib/local/state.ts';
import { liveKitAcl } from '../../../../livekit/config/redis-acl.ts';
import { redisBinary } from '../../../support/redis/redis.ts';
import { eventually } from '../../../support/wait.ts';
import { ask, RawClient } from '../fixtures/client.ts';
import { LocalCommand } from '../fixtures/local-command.ts';

let command: LocalCommand;
let state: TopologyState;
let admin: Redis;

beforeAll(async () => {
  command = new LocalCommand(['--instances', '1', '--livekit', '0']);
  state = await command.ready();
  const { url, caFile } = state.redis as NonNullable<TopologyState['redis']>;
  admin = new Redis(url, { tls: { ca: readFileSync(caFile) }, disableClientInfo: true });
  await admin.ping();
});

afterAll(async () => {
  admin.disconnect();
  command.process.kill('SIGTERM');
  await command.ended();
});

function redisPort(): number {
  return state.processes.find(({ id }) => id === 'redis')?.port as number;
}

test('it speaks TLS alone, and nobody trusts it who was not given its certificate', async () => {
  const plain = new RawClient(redisPort(), 'PING\r\n');
  await eventually('it to hang up', () => plain.closed);
  expect(plain.text).not.toContain('PONG');
  const refused = new Promise((resolve) => {
    connectTls({ host: '127.0.0.1', port: redisPort() }).on('error', ({ code }: NodeJS.ErrnoException) =>
      resolve(code),
    );
  });
  expect(await refused).toBe('DEPTH_ZERO_SELF_SIGNED_CERT');
});

test('its key and the admin’s password are for their owner’s eyes', () => {
  const folder = dirname(state.redis?.caFile as string);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(command.output).toContain(`REDISCLI_AUTH=$(cat ${folder}/redis-admin-password) redis-cli --tls`);
  const { password } = new URL(state.redis?.url as string);
  expect(readFileSync(`${folder}/redis-admin-password`, 'utf8')).toBe(password);
  expect(command.output).not.toContain(password);
});

test.each([
  ['app', () => renderAcl(serviceAcl('realtime'))],
  ['livekit', async () => renderAcl(liveKitAcl(await redisVersion(redisBinary)))],
])('user %s may do what the stack lets it, for the version that is installed', async (name, rules) => {
  await admin.call('ACL', 'SETUSER', 'of-the-stack', ...(await rules()).split(' '));
  expect(await permissionsOf(name)).toEqual(await permissionsOf('of-the-stack'));
  await admin.call('ACL', 'DELUSER', 'of-the-stack');
});

test('nobody logs in without a name', async () => {
  expect(await permissionsOf('default')).toMatchObject({ flags: ['off', 'sanitize-payload'], keys: '' });
});

test('what the service asks was not denied; what it may not do is named on the screen, in a script too', async () => {
  await command.prints('smoke test passed: a message went through the load balancer');
  expect(await admin.call('ACL', 'LOG')).toEqual([]);
  expect(command.output).not.toContain('redis denied');
  await admin.call('ACL', 'SETUSER', 'app', '-xadd');
  const answer = await ask(Number(new URL(state.url).port), {
    method: 'POST',
    path: '/api/hubs/bots/rooms/denied/messages',
    headers: { authorization: `Bearer ${state.serviceToken}`, 'content-type': 'application/json' },
    body: '{"id":"1","from":"test","body":{"status":"running","text":"x"}}',
  });
  expect(answer.status).toBe(503);
  await command.prints(
    'redis denied app the command xadd in a script; its permissions are in app/server/redis/acl.ts',
  );
});

/** All that a user may and may not, without its passwords. */
async function permissionsOf(name: string): Promise<Record<string, unknown>> {
  const pairs = (await admin.call('ACL', 'GETUSER', name)) as unknown[];
  const user = Object.fromEntries(pairs.flatMap((key, at) => (at % 2 ? [] : [[key, pairs[at + 1]]])));
  const { passwords: _, ...rest } = user;
  return { ...rest, commands: String(rest.commands).split(' ').sort() };
}

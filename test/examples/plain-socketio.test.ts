import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type ClientHub, openHub } from '../../app/client/hub.ts';
import type { Message } from '../../app/protocol/hub.ts';
import { freePort } from '../../lib/local/processes/ports.ts';
import { startRedis, type TestRedis } from '../support/redis/redis.ts';
import { eventually } from '../support/wait.ts';

const example = join(import.meta.dirname, 'plain-socketio.ts');

let redis: TestRedis;
const processes: ChildProcess[] = [];
const hubs: ClientHub[] = [];
afterAll(async () => {
  for (const hub of hubs) hub.close();
  for (const child of processes) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await redis?.stop();
});

async function start(): Promise<string> {
  const port = await freePort();
  const env = { ...process.env, PORT: String(port), REDIS_URL: redis.url };
  processes.push(spawn(process.execPath, ['--import', 'tsx', example], { env, stdio: 'ignore' }));
  return `http://127.0.0.1:${port}`;
}

test('two plain Socket.IO servers share a room, and what both say with one id is said once', async () => {
  redis = await startRedis();
  const urls = [await start(), await start()];
  const heard = urls.map((url) => {
    const messages: Message[] = [];
    const hub = openHub(url, 'chat');
    hubs.push(hub);
    hub.join('clock', { onMessage: (message) => messages.push(message) });
    return messages;
  });
  await eventually('three ticks on both', () => heard.every(({ length }) => length >= 3));
  for (const messages of heard) {
    const offsets = messages.map(({ offset }) => offset);
    expect(offsets).toEqual(offsets.map((_, index) => (offsets[0] as number) + index));
    const seconds = messages.map(({ body }) => (body as { second: number }).second);
    expect(new Set(seconds).size).toBe(seconds.length);
  }
});

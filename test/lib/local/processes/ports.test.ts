import { once } from 'node:events';
import { createServer } from 'node:net';
import { freePort } from '../../../../lib/local/processes/ports.ts';

test('many choices at once are all different, and none is a port that outgoing connections get', async () => {
  const ports = await Promise.all(Array.from({ length: 500 }, () => freePort()));
  expect(new Set(ports).size).toBe(500);
  expect(Math.max(...ports)).toBeLessThan(32_768);
});

test('a preferred port is kept while it is free, and replaced when it is taken', async () => {
  const port = await freePort();
  expect(await freePort(port)).toBe(port);
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  expect(await freePort(port)).not.toBe(port);
  server.close();
});

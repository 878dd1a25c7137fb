import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { endStalledConnections } from '../../../../app/server/process/stall-watch.ts';

/** Asks by a thread of its own, a moment later, and on a connection that it makes then. @returns how that ended */
function askLater(port: number, afterMs: number): Promise<string> {
  const source = `
    const { connect } = require('node:net');
    const { parentPort } = require('node:worker_threads');
    setTimeout(() => {
      let said = '';
      const socket = connect(${port}, '127.0.0.1', () => socket.write('GET / HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n'));
      socket.on('data', (data) => { said += data; });
      socket.on('error', () => undefined);
      socket.on('close', () => parentPort.postMessage(said.split(' ')[1] ?? 'nothing'));
    }, ${afterMs});`;
  const worker = new Worker(source, { eval: true });
  return once(worker, 'message').then(([said]) => said as string);
}

/** Nothing of this thread runs meanwhile. */
function stop(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

const closing: (() => unknown)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

test('what came while this process stood still is not read, and what comes later is', async () => {
  let served = 0;
  const server = createServer((_request, response) => {
    served += 1;
    response.end();
  });
  closing.push(() => server.close(), endStalledConnections(server, 500));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  expect(await askLater(port, 0)).toBe('200');

  const meanwhile = askLater(port, 1_000);
  // Behind it come timers, and then what has arrived: as after a SIGSTOP.
  await nextTurn();
  stop(4_000);
  expect(await meanwhile).toBe('nothing');
  expect(served).toBe(1);

  let later = await askLater(port, 0);
  while (later !== '200') later = await askLater(port, 200);
  expect(served).toBe(2);
});

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { heapUseOf } from './heap-use.ts';

/** On a heap of its own, for that of the tests takes seconds to read. */
const program = `
  class Kept {
    number = 0.5;
  }
  globalThis.kept = Array.from({ length: 100 }, () => new Kept());
  require('node:worker_threads').parentPort.once('message', () => process.exit());
  require('node:worker_threads').parentPort.postMessage('ready');
`;

test('the heap holds as many of a class as there are, with their bytes', async () => {
  const worker = new Worker(program, { eval: true });
  await once(worker, 'message');
  const chunks: Buffer[] = [];
  for await (const chunk of await worker.getHeapSnapshot()) chunks.push(chunk as Buffer);
  worker.postMessage('end');
  const use = heapUseOf(JSON.parse(Buffer.concat(chunks).toString('utf8')));
  expect(use.get('Kept')?.objects).toBe(100);
  expect(use.get('Kept')?.bytes).toBeGreaterThanOrEqual(100 * 12);
});

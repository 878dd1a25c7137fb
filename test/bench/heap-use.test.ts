import { getHeapSnapshot } from 'node:v8';
import { heapUseOf } from './heap-use.ts';

class Kept {
  readonly #number: number;

  constructor(number: number) {
    this.#number = number;
  }

  get number(): number {
    return this.#number;
  }
}

test('the heap holds as many of a class as there are, with their bytes', async () => {
  const kept = Array.from({ length: 100 }, (_, number) => new Kept(number));
  const chunks: Buffer[] = [];
  for await (const chunk of getHeapSnapshot()) chunks.push(chunk as Buffer);
  const use = heapUseOf(JSON.parse(Buffer.concat(chunks).toString('utf8')));
  expect(use.get('Kept')?.objects).toBe(kept.length);
  expect(use.get('Kept')?.bytes).toBeGreaterThanOrEqual(100 * 12);
});

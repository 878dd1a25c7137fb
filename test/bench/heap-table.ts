import type { HeapFigures, HeapPart } from './measures/heap.ts';

const partsShown = 25;
/** Fewer objects than so many a connection are none of it. */
const leastObjects = 0.5;

/** What a connection has on the heap, as Markdown. */
export function renderHeap({ variant, connections, idle, inRoom }: HeapFigures): string[] {
  const total = (parts: readonly HeapPart[]) => parts.reduce((sum, { bytes }) => sum + bytes, 0);
  const idleOf = new Map(idle.map((part) => [part.name, part]));
  const shown = inRoom.filter(({ objects }) => objects >= leastObjects).slice(0, partsShown);
  const row = (name: string, idleBytes: number, idleObjects: string, bytes: number, objects: string) =>
    `| ${name} | ${idleBytes.toFixed(0)} | ${idleObjects} | ${bytes.toFixed(0)} | ${objects} |`;
  return [
    `| ${variant.title}, ${connections} connections: heap of each | idle: bytes | objects | in a room of 10: bytes | objects |`,
    '|---|---|---|---|---|',
    ...shown.map(({ name, bytes, objects }) => {
      const part = idleOf.get(name) ?? { bytes: 0, objects: 0 };
      return row(name, part.bytes, part.objects.toFixed(1), bytes, objects.toFixed(1));
    }),
    row('all', total(idle), '', total(inRoom), ''),
  ];
}

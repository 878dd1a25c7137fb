import { readFileSync } from 'node:fs';
import { type Knob, knobs } from '../../../lib/config/knobs.ts';
import { presets } from '../../../lib/config/presets.ts';

const [, table = ''] =
  /^\| knob \| dev \| prod \| \|\n.+\n((?:\|.+\n)+)/m.exec(readFileSync('README.md', 'utf8')) ?? [];
const rows = table
  .trim()
  .split('\n')
  .map((row) => row.split('|').map((cell) => cell.trim()) as [string, string, string, string])
  .map(([, named, dev, prod]) => ({
    named: [...named.matchAll(/`(\w+)`/g)].map(([, name]) => name as Knob),
    values: { dev: dev.split(', '), prod: prod.split(', ') },
  }));

test('the README’s table names knobs', () => {
  expect(rows.length).toBeGreaterThan(10);
  expect(rows.flatMap(({ named }) => named).filter((name) => !(name in knobs.shape))).toEqual([]);
});

test.each(['dev', 'prod'] as const)('the README’s table has the values of %s', (environment) => {
  const literals = rows
    .filter(({ named, values }) => named.length === values[environment].length)
    .flatMap(({ named, values }) =>
      named.map((name, index) => [name, values[environment][index] as string] as const),
    )
    .filter(([, value]) => /^(`[^`]+`|\d+|none)$/.test(value));
  expect(literals.length).toBeGreaterThan(15);
  for (const [name, value] of literals) {
    const preset = (presets[environment] as Record<string, unknown>)[name];
    const [, otherwise = 'none'] = /Without it, ([\w,]+)\.$/.exec(knobs.shape[name].description ?? '') ?? [];
    expect([name, value.replaceAll('`', '')]).toEqual([name, String(preset ?? otherwise)]);
  }
});

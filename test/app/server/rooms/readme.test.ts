import { readFileSync } from 'node:fs';
import { defaultRetention } from '../../../../app/server/rooms/log/retention.ts';

const units: Readonly<Record<string, number>> = {
  messages: 1,
  minutes: 60_000,
  days: 86_400_000,
};

test('the README of the rooms says how much of a log is kept by default', () => {
  const text = readFileSync('app/server/rooms/README.md', 'utf8');
  const rows = [...text.matchAll(/^\| `(\w+)` \| ([\d,]+)(?: (\w+))? \|/gm)].map(
    ([, setting, count, unit = 'messages']) => [
      setting,
      Number((count as string).replaceAll(',', '')) * (units[unit] as number),
    ],
  );
  expect(Object.fromEntries(rows)).toEqual(defaultRetention);
});

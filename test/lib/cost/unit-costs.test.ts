import { defaultAnswerLimits } from '../../../app/server/answers/turn.ts';
import { cost } from '../../../lib/cost/cost.ts';
import { capacity, measured } from '../../../lib/cost/measured.ts';
import { chunkEveryMs, unitCosts } from '../../../lib/cost/unit-costs.ts';

const dollarsOf = (beginning: string) =>
  unitCosts().find(({ what }) => what.startsWith(beginning))?.dollars as number;

test('each unit costs what it takes of a task of a plan', () => {
  const taskHour = 0.03238 + 2 * 0.00356;
  const ofCpu = (seconds: number) => (seconds / 0.6 / 3_600) * taskHour;
  expect(dollarsOf('a million deliveries')).toBeCloseTo(ofCpu(1e6 * capacity.deliveryCpuSeconds), 6);
  const publish = ((measured.smallRooms.variants.ours?.cpuMicroseconds ?? 0) * 2) / 1e6;
  expect(dollarsOf('a million publishes')).toBeCloseTo(ofCpu(1e6 * publish), 6);
  expect(dollarsOf('an hour of AI answers')).toBeCloseTo(ofCpu((3_600_000 / chunkEveryMs) * publish), 6);
  expect(dollarsOf('a thousand connections')).toBeGreaterThan(0);
});

test('an answer has as many chunks as the service makes of it', () => {
  expect(chunkEveryMs).toBe(defaultAnswerLimits.chunkEveryMs);
});

test('npm run cost prints them', async () => {
  let printed = '';
  const output = { write: (text: string) => (printed += text) };
  expect(await cost(['--units'], { output, errors: output })).toBe(0);
  expect(printed).toMatch(/^ *\d\.\d{5} {2}a million deliveries in large rooms: /m);
  expect(printed).toContain(measured.date);
});

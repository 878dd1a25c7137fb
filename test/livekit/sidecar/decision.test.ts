import { type Decision, decide, type Facts } from '../../../livekit/sidecar/decision.ts';

const minutes = (count: number) => count * 60_000;
const limits = { maxCallDrainMs: minutes(60), maxProtectionMs: minutes(24 * 60) };
const now = minutes(100_000);
const current = { load: 3, busySince: now - minutes(5), supersededAt: undefined, isReplaced: true };
const superseded = { ...current, supersededAt: now - minutes(10) };

test.each<[string, Omit<Facts, 'now'>, Decision]>([
  ['somebody is there', current, { protect: true, drain: false, why: 'busy' }],
  [
    'nobody is',
    { ...current, load: 0, busySince: undefined },
    { protect: false, drain: false, why: 'empty' },
  ],
  ['nobody can tell', { ...current, load: undefined }, { protect: undefined, drain: false, why: 'unknown' }],
  [
    'somebody has been there for a day',
    { ...current, busySince: now - minutes(24 * 60) },
    { protect: false, drain: false, why: 'was never empty' },
  ],
  [
    'its successors are starting',
    { ...superseded, isReplaced: false },
    { protect: true, drain: false, why: 'busy' },
  ],
  ['its successors run', superseded, { protect: true, drain: true, why: 'busy' }],
  ['… and nobody is there', { ...superseded, load: 0 }, { protect: false, drain: true, why: 'empty' }],
  [
    'its calls have had their time, even if successors never came',
    { ...superseded, supersededAt: now - minutes(60), isReplaced: false },
    { protect: false, drain: true, why: 'call drain is over' },
  ],
])('%s', (_case, facts, decision) => {
  expect(decide({ now, ...facts }, limits)).toEqual(decision);
});

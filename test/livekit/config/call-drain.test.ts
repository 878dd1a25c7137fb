import { callDrainFault, defaultCallDrainMinutes } from '../../../livekit/config/call-drain.ts';

test.each([
  [defaultCallDrainMinutes, 10, undefined],
  [140, 10, undefined],
  [141, 10, 'must be at most 150 minutes together, got: 141 + 10'],
  [0, 10, '`maxCallDrain` must be 1 minute or more, got: 0'],
  [Number.NaN, 10, '`maxCallDrain` must be 1 minute or more, got: NaN'],
])('%p minutes of calls and %p to stop: %p', (maxCallDrainMinutes, stopTimeoutMinutes, fault) => {
  const found = callDrainFault({ maxCallDrainMinutes, stopTimeoutMinutes });
  if (fault === undefined) expect(found).toBeUndefined();
  else expect(found).toContain(fault);
});

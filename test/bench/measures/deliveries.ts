import { type BenchContext, collectRounds, type Rounds } from '../rounds.ts';
import type { Variant } from '../variants.ts';
import { type DeliveryFigures, type DeliveryLoad, DeliveryRun } from './delivery.ts';

/**
 * Measures all variants side by side: in a round all of them stand, and only one works at a time, a second
 * or so each. What else the machine does changes slower than that.
 */
export function measureDeliveries(
  context: BenchContext,
  what: string,
  load: DeliveryLoad,
): Promise<Rounds<DeliveryFigures>> {
  return collectRounds(context, what, async (variants) => {
    const runs = new Map<Variant, DeliveryRun>();
    try {
      for (const variant of variants) {
        const run = await DeliveryRun.open(variant, load);
        runs.set(variant, run);
        await run.warmUp();
      }
      for (let slice = 0; slice < load.slices; slice += 1) {
        for (const run of runs.values()) await run.measureSlice();
      }
      for (const run of runs.values()) context.printObservation(await run.observe(context, what));
      return variants.map((variant) => (runs.get(variant) as DeliveryRun).figures());
    } finally {
      await Promise.all([...runs.values()].map((run) => run.close()));
    }
  });
}

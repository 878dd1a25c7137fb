import { performance } from 'node:perf_hooks';

/** Calls `act` at an even rate for so long; catches up after a stall rather than doing less. */
export function pace(perSecond: number, forMs: number, act: (turn: number) => void): Promise<number> {
  return new Promise((resolve) => {
    const start = performance.now();
    let done = 0;
    const tick = () => {
      const elapsed = Math.min(performance.now() - start, forMs);
      const due = Math.floor((elapsed * perSecond) / 1_000);
      while (done < due) {
        act(done);
        done += 1;
      }
      if (elapsed < forMs) setTimeout(tick, 1);
      else resolve(done);
    };
    tick();
  });
}

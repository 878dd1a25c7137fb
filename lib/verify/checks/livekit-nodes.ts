import { type Check, CheckFailure, CheckSkip } from '../check.ts';
import { openRecords } from '../livekit/live-records.ts';
import { until } from '../wait.ts';
import { count } from '../words.ts';

export const liveKitNodes: Check = {
  name: 'livekit-nodes',
  title: 'Every LiveKit node that runs is known to the others',
  needs: [],
  run: async (context) => {
    const { liveKit } = context.target;
    if (!liveKit?.redis)
      throw new CheckSkip("the nodes' Redis can be read only where `npm start` runs it here");
    const records = openRecords(liveKit.redis);
    try {
      let [live, running] = [-1, 0];
      const equal = await until(async () => {
        running = (await liveKit.nodes()).filter(({ pid }) => pid !== undefined).length;
        live = (await records.live()).length;
        return live === running;
      }, context);
      if (running === 0) throw new CheckSkip('LiveKit runs elsewhere, not in this topology');
      if (!equal) throw new CheckFailure(unequal(live, running));
      return { proved: `${count(live, 'node')} in Redis with fresh statistics, and as many run` };
    } finally {
      records.close();
    }
  },
};

export function unequal(live: number, running: number) {
  return {
    found: `${count(running, 'node')} run and ${live} told Redis in the last 5 s that they live`,
    cause:
      live < running
        ? 'a node runs alone, for it was given no Redis or another one, or it hangs'
        : 'nodes of another environment use the same Redis, and would take its rooms',
    fix:
      live < running
        ? 'compare what the nodes were given as LIVEKIT_CONFIG: a wrong variable name is ignored'
        : 'give each environment a Redis of its own: LiveKit has no prefix for its keys',
  };
}

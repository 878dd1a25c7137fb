import { existsSync } from 'node:fs';
import { join } from 'node:path';
import TestSequencer from '@jest/test-sequencer';

const tests = join(import.meta.dirname, '..');

/** What takes longest, longest first. Begun late, one of them would be what the whole run waits for. */
const longest = [
  'lib/verify/checks/broken-topology.test.ts',
  'lib/doctor/url/url.test.ts',
  'app/server/signalr/service.test.ts',
  'lib/cdk-stack.test.ts',
  'lib/cdk-parts.test.ts',
  'app/server/presence/presence.test.ts',
  'faults/presence.test.ts',
  'app/server/answers/answers.test.ts',
  'faults/cluster/shards.test.ts',
  'lib/local/redis/cluster.test.ts',
  'lib/verify/healthy.test.ts',
  'app/server/service.test.ts',
  'docs/moving.test.ts',
  'app/server/relay/service.test.ts',
  'lib/verify/checks/broken-service.test.ts',
  'bin/setup.test.ts',
  'app/server/hostile/packets.test.ts',
  'app/build.test.ts',
  'app/page/page.test.ts',
  'app/server/socketio/attach-rooms.test.ts',
  'lib/local/watch/watch.test.ts',
  'lib/local/topology.test.ts',
  'app/server/process/leaving.test.ts',
].map((name) => join(tests, name));

/**
 * Jest knows how long each file took in the run before. In the first run of a machine it goes by the size of the files,
 * which says little of these: here they come first.
 */
export default class LongestFirst extends TestSequencer {
  sort(all) {
    const sorted = super.sort(all);
    if (sorted.some((test) => this.time(test) !== undefined)) return sorted;
    for (const file of longest)
      if (!existsSync(file))
        throw new Error(
          `test/runner/sequencer.mjs names ${file}, and there is no such file: name what took its place`,
        );
    return sorted.sort((a, b) => rankOf(a) - rankOf(b));
  }
}

function rankOf({ path }) {
  const rank = longest.indexOf(path);
  return rank < 0 ? longest.length : rank;
}

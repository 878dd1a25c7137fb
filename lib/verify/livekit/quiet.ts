import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The library logs to the standard output, where `--json` is alone, and has no setting for it. */
export function quietParticipants(): void {
  const load = createRequire(import.meta.url);
  try {
    const { log } = load(join(dirname(load.resolve('@livekit/rtc-node')), 'log.cjs'));
    log.level = 'silent';
  } catch {
    // Another version may have it elsewhere; it is loud then, and does its work.
  }
}

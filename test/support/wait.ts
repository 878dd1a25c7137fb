import { setTimeout as delay } from 'node:timers/promises';

/** Long enough for a busy machine: it bounds a test that hangs and says nothing of speed. */
const longestWaitMs = 20_000;

/** Waits until `holds` does; what it throws ends the wait. */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  longestMs = longestWaitMs,
): Promise<void> {
  const deadline = Date.now() + longestMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited ${longestMs} ms in vain for ${what}`);
    await delay(20);
  }
}

import { setTimeout as delay } from 'node:timers/promises';

/** It bounds a wait that is in vain, and nothing else: a machine that is busy with other things takes many times what it takes. */
const longestWaitMs = 60_000;

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

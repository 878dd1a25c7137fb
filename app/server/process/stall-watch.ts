/** Every client has given a connection up that was silent for so long, in milliseconds: Socket.IO's 25 s and 20 s. */
export const givenUpMs = 45_000;
const lookEveryMs = 1_000;

/**
 * What a client sent is read within so many milliseconds, or not at all: longer stalls end its connection.
 * @param idWindowMs for which ids are known: what comes later would be another message
 */
export function longestWayMs(idWindowMs: number): number {
  return Math.min(givenUpMs, idWindowMs / 2);
}

/**
 * Tells when this process did not run for a long time: it was stopped, or its machine was. By a clock that goes on
 * meanwhile and that nobody sets.
 *
 * @param longestMs what is shorter is a busy machine
 * @param onStall called before anything else that timers do; what has arrived in a few sockets may have been read
 * @returns ends it
 */
export function watchStalls(longestMs: number, onStall: (ms: number) => void): () => void {
  let lookedAt = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    const stalledMs = now - lookedAt - lookEveryMs;
    lookedAt = now;
    if (stalledMs > longestMs) onStall(stalledMs);
  }, lookEveryMs).unref();
  return () => clearInterval(timer);
}

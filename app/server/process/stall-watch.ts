import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** Every client has given a connection up that was silent for so long, in milliseconds: Socket.IO's 25 s and 20 s. */
const givenUpMs = 45_000;
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

/** What waited to be accepted is accepted in the first turns of the event loop, in milliseconds. */
const backlogMs = 1_000;

/**
 * Ends what this process finds of HTTP when it runs again that stood still for long: requests that wait on its
 * connections, and those on connections that the kernel took meanwhile. Their senders have repeated them elsewhere, and
 * what a publish's id stands for may be forgotten by now.
 *
 * @param longestMs what is shorter is a busy machine. @default as long as clients wait
 * @returns ends it
 */
export function endStalledConnections(server: Server, longestMs = givenUpMs): () => void {
  let until = Number.NEGATIVE_INFINITY;
  const endBacklog = (socket: Socket) => {
    if (performance.now() < until) socket.destroy();
  };
  // Before the server's own listener, which would read.
  server.prependListener('connection', endBacklog);
  const endWatch = watchStalls(longestMs, () => {
    until = performance.now() + backlogMs;
    server.closeAllConnections();
  });
  return () => {
    endWatch();
    server.off('connection', endBacklog);
  };
}

import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { givenUpMs, watchStalls } from './stall-watch.ts';

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

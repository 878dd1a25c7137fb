import type { Logger } from 'pino';
import type { ConnectionMetrics } from './connection-metrics.ts';

const everyMs = 60_000;

/**
 * One line a minute of how many came and went, where any did: each of them is logged at debug level alone, so that
 * ten thousand reconnects don't write ten thousand lines.
 *
 * @returns ends it
 */
export function summarizeConnections(
  connections: ConnectionMetrics,
  log: Logger,
  periodMs = everyMs,
): () => void {
  let [opened, closed] = [0, 0];
  const timer = setInterval(() => {
    const [came, went] = [connections.opened - opened, connections.closed - closed];
    [opened, closed] = [connections.opened, connections.closed];
    if (came + went > 0)
      log.info({ connections: connections.count, opened: came, closed: went }, 'connections');
  }, periodMs).unref();
  return () => clearInterval(timer);
}

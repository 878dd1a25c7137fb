import type { Logger } from 'pino';

/**
 * Says what becomes of the process where something throws that nothing catches. One that does not serve yet ends: a
 * start that failed by half is none. One that serves goes on: it should not happen, and stands in the log as `fatal`;
 * but what one client sends must not disconnect all of them, here and, sent again, on the next instance.
 */
export function handleFaults(log: Pick<Logger, 'fatal'>, serves: () => boolean): void {
  // A rejection that nobody handles arrives here as well: Node makes an exception of it.
  process.on('uncaughtException', (err, origin) => {
    if (serves()) {
      log.fatal({ err, origin }, 'nothing caught this; the process goes on. Please report it with its stack');
      return;
    }
    log.fatal({ err, origin }, 'ended by a fault that nothing caught');
    process.exit(1);
  });
}

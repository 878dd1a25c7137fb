import { PassThrough } from 'node:stream';
import { createLog } from '../../app/server/process/log.ts';

/** A log of the service's kind, and what it has written. */
export function linesOf(level = 'info') {
  const stream = new PassThrough();
  let text = '';
  stream.on('data', (data) => {
    text += data;
  });
  return {
    log: createLog(level, 'app-1', stream),
    text: () => text,
    lines: () =>
      text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

import type { Part, PartKind } from './part.ts';

/** A start that can't succeed; its message says the cause and the fix. */
export class StartError extends Error {}

/** A boot that takes longer is taken as hung, in milliseconds. */
export const readyMs = 60_000;

export function noEntry(entry: string, isDefault: boolean): string {
  const fix = isDefault
    ? 'Run `npm run setup`, which builds it.'
    : 'Give --entry the path of a JavaScript file.';
  return `The service is not there: ${entry}\n${fix}`;
}

export function cannotListen(port: number, { code, message }: NodeJS.ErrnoException): string {
  if (code === 'EADDRINUSE') {
    return `Port ${port} is taken by another program. Give --port a free one, or leave it out to have one chosen.`;
  }
  if (code === 'EACCES')
    return `Port ${port} needs privileges that this user lacks. Give --port one above 1023.`;
  return `The load balancer can't listen on port ${port}: ${message}. Give --port another one.`;
}

export function diedAtBoot(part: Part, reason: string): string {
  return [
    `${part.id} ended again and again before it was ready (${reason}). Its last lines:`,
    ...lastLines(part),
    fixes[part.kind] ?? 'Mend what they say and start again; --verbose shows everything that the parts log.',
  ].join('\n');
}

const fixes: Partial<Record<PartKind, string>> = {
  redis: 'Mend what they say, or start its program by hand to see more.',
  livekit: 'Mend what they say, or start without LiveKit: --livekit 0',
  agent: 'Mend what they say, or start without it: --no-agent',
};

export function notReady(part: Part): string {
  return [
    `${part.id} runs (pid ${part.pid ?? 'none'}) but was not ready within ${readyMs / 1000} s. Its last lines:`,
    ...lastLines(part),
    'Mend what they say and start again; --verbose shows everything that the parts log.',
  ].join('\n');
}

function lastLines({ tail }: Part): string[] {
  return tail.length > 0 ? tail.map((line) => `  | ${line}`) : ['  | (none)'];
}

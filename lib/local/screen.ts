import type { PartState } from './state.ts';

export interface ScreenFacts {
  readonly url: string;
  readonly parts: readonly PartState[];
  /** Name and version of the Redis server; undefined in single-instance mode. */
  readonly redis?: string;
  /** Why this start differs from what was asked for, each a sentence. */
  readonly notes: readonly string[];
}

/** What the start prints once all parts are ready. */
export function readyScreen(facts: ScreenFacts): string {
  const rows: [string, string][] = [['open', `${facts.url}/`]];
  for (const part of facts.parts) {
    if (part.kind !== 'proxy') rows.push([part.id, describe(part, facts.redis)]);
  }
  if (!facts.redis) rows.push(['redis', 'none: single-instance mode']);
  rows.push(['verify', 'npm run verify    (in another terminal)'], ['stop', 'Ctrl-C']);
  const lines = rows.map(([name, value]) => `  ${name.padEnd(8)} ${value}`);
  const notes = facts.notes.map((note) => `  ! ${note}`);
  return ['', 'Realtime Stack is ready.', '', ...lines, ...(notes.length > 0 ? ['', ...notes] : []), ''].join(
    '\n',
  );
}

function describe({ kind, pid, port }: PartState, redis?: string): string {
  const address = kind === 'redis' ? `redis://127.0.0.1:${port}` : `http://127.0.0.1:${port}`;
  return [address.padEnd(24), `pid ${pid}`, kind === 'redis' ? redis : undefined].filter(Boolean).join('   ');
}

/** Such as `1.23 s`. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

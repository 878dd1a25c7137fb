import type { RedisServer } from './redis-server.ts';
import type { PartState } from './state.ts';

export interface ScreenFacts {
  readonly url: string;
  readonly parts: readonly PartState[];
  /** Undefined in single-instance mode. */
  readonly redis?:
    | Pick<RedisServer, 'version' | 'port' | 'users' | 'caFile' | 'adminPasswordFile'>
    | undefined;
  /** Why this start differs from what was asked for, each a sentence. */
  readonly notes: readonly string[];
}

/** What the start prints once all parts are ready. */
export function readyScreen(facts: ScreenFacts): string {
  const rows: [string, string][] = [['open', `${facts.url}/`]];
  for (const part of facts.parts) {
    if (part.kind !== 'proxy') rows.push([part.id, describe(part, facts.redis?.version)]);
    if (part.kind === 'redis' && facts.redis) rows.push(['', redisCommand(facts.redis)]);
  }
  if (!facts.redis) rows.push(['redis', 'none: single-instance mode']);
  rows.push(['verify', 'npm run verify    (in another terminal)'], ['stop', 'Ctrl-C']);
  const width = Math.max(8, ...rows.map(([name]) => name.length));
  const lines = rows.map(([name, value]) => `  ${name.padEnd(width)} ${value}`);
  const notes = facts.notes.map((note) => `  ! ${note}`);
  return ['', 'Realtime Stack is ready.', '', ...lines, ...(notes.length > 0 ? ['', ...notes] : []), ''].join(
    '\n',
  );
}

function describe({ kind, pid, port }: PartState, redis?: string): string {
  const address = kind === 'redis' ? `rediss://localhost:${port}` : `http://127.0.0.1:${port}`;
  return [address.padEnd(24), `pid ${pid}`, kind === 'redis' ? redis : undefined].filter(Boolean).join('   ');
}

/** The password is read from its file: it is neither on the screen nor in the process list. */
function redisCommand({ port, users, caFile, adminPasswordFile }: NonNullable<ScreenFacts['redis']>): string {
  const user = `-h localhost -p ${port} --user ${users.admin.name}`;
  return `REDISCLI_AUTH=$(cat ${adminPasswordFile}) redis-cli --tls --cacert ${caFile} ${user}`;
}

/** Such as `1.23 s`. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

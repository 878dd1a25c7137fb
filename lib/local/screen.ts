import { environmentNames as names } from '../../app/names.ts';
import type { LocalOptions } from './arguments.ts';
import { installCommand, installLiveKitCommand, packageManager } from './programs.mjs';
import type { Redis } from './redis/redis.ts';
import type { ProcessState } from './state.ts';

export interface ScreenFacts {
  readonly url: string;
  readonly processes: readonly ProcessState[];
  readonly redis: Pick<Redis, 'version' | 'admin' | 'cluster'>;
  /** From `notesOn()`. */
  readonly notes: readonly string[];
}

/** Renders what the start prints once all processes are ready. */
export function readyScreen(facts: ScreenFacts): string {
  const rows: [string, string][] = [['open', `${facts.url}/`]];
  const { redis } = facts;
  for (const each of facts.processes) {
    if (each.kind !== 'proxy') rows.push([each.id, describe(each, redis)]);
    if (each.kind === 'redis' && each.port === redis.admin?.port) rows.push(['', redisCommand(redis)]);
  }
  if (!redis.admin) rows.push(['redis', 'none: single-instance mode']);
  rows.push(['verify', 'npm run verify    (in another terminal)'], ['stop', 'Ctrl-C']);
  const width = Math.max(8, ...rows.map(([name]) => name.length));
  const lines = rows.map(([name, value]) => `  ${name.padEnd(width)} ${value}`);
  const notes = facts.notes.map((note) => `  ! ${note}`);
  return ['', 'Realtime Stack is ready.', '', ...lines, ...(notes.length > 0 ? ['', ...notes] : []), ''].join(
    '\n',
  );
}

function describe({ id, kind, pid, port }: ProcessState, { version, cluster }: ScreenFacts['redis']): string {
  if (kind !== 'redis') return [`http://127.0.0.1:${port}`.padEnd(24), `pid ${pid}`].join('   ');
  const shard = cluster?.status().find(({ primary, replicas }) => primary === id || replicas.includes(id));
  const role = shard && `shard ${shard.shard}, ${shard.primary === id ? 'primary' : 'replica'}`;
  return [`rediss://localhost:${port}`.padEnd(24), `pid ${pid}`, version, role].filter(Boolean).join('   ');
}

/** The command reads the password from its file, so it is neither on the screen nor in the process list. */
function redisCommand({ admin, cluster }: ScreenFacts['redis']): string {
  const { port, user, caFile, adminPasswordFile } = admin as NonNullable<typeof admin>;
  const mode = cluster ? ' -c' : '';
  return `REDISCLI_AUTH=$(cat ${adminPasswordFile}) redis-cli${mode} --tls --cacert ${caFile} -h localhost -p ${port} --user ${user.name}`;
}

export interface NotesFacts {
  readonly options: Pick<LocalOptions, 'port' | 'instances' | 'liveKitNodes'>;
  readonly environment: NodeJS.ProcessEnv;
  /** Programs that were found. */
  readonly redis: string | undefined;
  readonly liveKit: string | undefined;
  /** The load balancer's port. */
  readonly port: number;
}

/** Explains, each in a sentence, how this start differs from what was asked for, and what to do. */
export function notesOn(facts: NotesFacts): string[] {
  return [...portNotes(facts), ...redisNotes(facts), ...liveKitNotes(facts)];
}

function portNotes({ options, port }: NotesFacts): string[] {
  if (options.port !== undefined || port === 8080) return [];
  return [`Port 8080 is taken, so this topology has ${port}.`];
}

function redisNotes({ options, redis, environment }: NotesFacts): string[] {
  if (redis) return [];
  const command = installCommand(packageManager(environment), 'redis', process.getuid?.() === 0);
  return [
    `No Redis server was found: one instance runs, without a backplane${options.instances > 1 ? `, not ${options.instances}` : ''}.`,
    command ? `To have one: ${command}` : 'Install valkey-server or redis-server, so that it is on the PATH.',
  ];
}

function liveKitNotes({ options, liveKit, environment }: NotesFacts): string[] {
  if (options.liveKitNodes === 0) return [];
  if (environment[names.liveKitUrl]) {
    return [`${names.liveKitUrl} is set: calls go there, and no LiveKit node runs here.`];
  }
  if (liveKit) return [];
  return [
    `No LiveKit server was found: no calls. To have them: ${installLiveKitCommand(packageManager(environment))}`,
  ];
}

/** Such as `1.23 s`. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

import { environmentNames as names } from '../../app/names.ts';
import type { LocalOptions } from './arguments.ts';
import { installCommand, installLiveKitCommand, packageManager } from './programs.mjs';

export interface NotesFacts {
  readonly options: Pick<LocalOptions, 'port' | 'instances' | 'liveKitNodes'>;
  readonly environment: NodeJS.ProcessEnv;
  /** Programs that were found. */
  readonly redis: string | undefined;
  readonly liveKit: string | undefined;
  /** The port that the load balancer got. */
  readonly port: number;
}

/** Why a start differs from what was asked for, and what to do; each a sentence. */
export function notesOn(facts: NotesFacts): string[] {
  return [...portNotes(facts), ...redisNotes(facts), ...liveKitNotes(facts)];
}

function portNotes({ options, port }: NotesFacts): string[] {
  if (options.port !== undefined || port === 8080) return [];
  return [`Port 8080 is taken, so this one has ${port}.`];
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
  if (environment[names.livekitUrl]) {
    return [`${names.livekitUrl} is set: calls go there, and no LiveKit node runs here.`];
  }
  if (liveKit) return [];
  return [
    `No LiveKit server was found: no calls. To have them: ${installLiveKitCommand(packageManager(environment))}`,
  ];
}

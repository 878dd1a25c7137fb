import { setTimeout as delay } from 'node:timers/promises';
import { askRedis } from './redis-ask.ts';
import type { RedisServer } from './redis-server.ts';

const everyMs = 2_000;
/** Redis itself keeps no more. */
const mostEntries = 128;
/** Kinds that are told; further ones would only repeat the cause. */
const mostTold = 100;

/** Where each user's permissions are written down. */
const sources: Readonly<Record<string, string>> = {
  app: 'app/server/redis/acl.ts',
  livekit: 'livekit/config/redis-acl.ts',
};

const places: Readonly<Record<string, string>> = { lua: ' in a script', multi: ' in a transaction' };

/**
 * Says once what each user was denied. A client may swallow a refusal, and one in a script does not name the command;
 * on AWS the same permission would be missing.
 */
export async function tellDenials(
  redis: RedisServer,
  print: (line: string) => void,
  stopped: AbortSignal,
): Promise<void> {
  const told = new Set<string>();
  while (!stopped.aborted && told.size < mostTold) {
    const answer = await askRedis(redis, redis.users.admin, `ACL LOG ${mostEntries}`);
    for (const line of parseAclLog(answer).map(describe)) {
      if (!told.has(line)) print(line);
      told.add(line);
    }
    await delay(everyMs, undefined, { signal: stopped, ref: false }).catch(() => {});
  }
}

export type AclLogEntry = Readonly<Record<string, string>>;

/** @param answer RESP 2: a list of entries, each a list of names and values */
export function parseAclLog(answer: string): AclLogEntry[] {
  const entries: Record<string, string>[] = [];
  let name: string | undefined;
  for (const value of scalarsOf(answer)) {
    if (name === undefined) {
      name = value;
      if (name === 'count') entries.push({});
    } else {
      const entry = entries.at(-1);
      if (entry) entry[name] = value;
      name = undefined;
    }
  }
  return entries;
}

/** The numbers and bulk strings in it, none of which has a line break. */
function* scalarsOf(answer: string): Generator<string> {
  const lines = answer.split('\r\n').values();
  for (const line of lines) {
    if (/^\$\d+$/.test(line)) yield lines.next().value ?? '';
    else if (/^:\d+$/.test(line)) yield line.slice(1);
  }
}

function describe({ reason, context = '', object, username = '' }: AclLogEntry): string {
  if (reason === 'auth') return `redis refused a login as ${username}`;
  const source = sources[username];
  const where = source ? `; what it may is in ${source}` : '';
  return `redis denied ${username} the ${reason} ${object}${places[context] ?? ''}${where}`;
}

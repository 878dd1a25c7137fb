import { setTimeout as delay } from 'node:timers/promises';
import { type RedisServer, runCommand } from './server.ts';

const everyMs = 2_000;
/** Redis itself keeps no more. */
const mostEntries = 128;
/** Further lines would only repeat the cause. */
const mostLines = 100;

/** The file that has each user's permissions. */
const sources: Readonly<Record<string, string>> = {
  app: 'app/server/redis/acl.ts',
  livekit: 'livekit/config/redis-acl.ts',
};

const contexts: Readonly<Record<string, string>> = { lua: ' in a script', multi: ' in a transaction' };

/**
 * Prints each permission that a user was denied, once. A client may swallow the error, and the error of a script does
 * not name the command; on AWS the same permission would be missing.
 */
export async function reportDenials(
  servers: readonly Pick<RedisServer, 'port' | 'access'>[],
  print: (line: string) => void,
  stopped: AbortSignal,
): Promise<void> {
  const printed = new Set<string>();
  while (!stopped.aborted && printed.size < mostLines) {
    const replies = await Promise.all(
      servers.map((server) => runCommand(server, server.access.admin, `ACL LOG ${mostEntries}`)),
    );
    for (const line of replies.flatMap(parseAclLog).map(describe)) {
      if (!printed.has(line)) print(line);
      printed.add(line);
    }
    await delay(everyMs, undefined, { signal: stopped, ref: false }).catch(() => {});
  }
}

export type AclLogEntry = Readonly<Record<string, string>>;

/** @param reply RESP 2: a list of entries, each a list of names and values */
export function parseAclLog(reply: string): AclLogEntry[] {
  const entries: Record<string, string>[] = [];
  let name: string | undefined;
  for (const value of scalarsOf(reply)) {
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
function* scalarsOf(reply: string): Generator<string> {
  const lines = reply.split('\r\n').values();
  for (const line of lines) {
    if (/^\$\d+$/.test(line)) yield lines.next().value ?? '';
    else if (/^:\d+$/.test(line)) yield line.slice(1);
  }
}

function describe({ reason, context = '', object, username = '' }: AclLogEntry): string {
  if (reason === 'auth') return `redis rejected a login as ${username}`;
  const source = sources[username];
  const where = source ? `; its permissions are in ${source}` : '';
  return `redis denied ${username} the ${reason} ${object}${contexts[context] ?? ''}${where}`;
}

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { StartError } from '../processes/start.ts';

/** Such as `Redis 7.0.15` or `Valkey 8.1.1`. */
type RedisVersion = `${'Redis' | 'Valkey'} ${string}`;

/** This version brought sharded Pub/Sub and the ACL rules that the service uses. */
const oldestMajor = 7;

/**
 * Asks the program for its version before the server runs: Redis rejects an ACL that names a command which it lacks.
 * @throws StartError when it can't be run, or is too old
 */
export async function redisVersion(binary: string): Promise<RedisVersion> {
  const text = await promisify(execFile)(binary, ['--version'], { timeout: 10_000 }).then(
    ({ stdout }) => stdout,
    (error: Error) => {
      throw new StartError(`${binary} can't be run: ${error.message}. Install it anew, or another one.`);
    },
  );
  const version = parseVersion(text);
  if (!version) {
    throw new StartError(
      `${binary} prints no version, but: "${text.trim()}". Put a valkey-server or redis-server on the PATH.`,
    );
  }
  if (Number(/\d+/.exec(version)?.[0]) < oldestMajor) {
    throw new StartError(
      `${binary} is ${version}, and the service needs ${oldestMajor}.0 or newer. Install a newer Redis, or Valkey.`,
    );
  }
  return version;
}

/** @param text as `--version` prints it: `Redis server v=7.0.15 sha=…`; Valkey 7.2 leaves its name out */
export function parseVersion(text: string): RedisVersion | undefined {
  const [, isRedis, version] = /^(Redis )?(?:Valkey )?server v=(\d+\.\S+)/im.exec(text) ?? [];
  return version === undefined ? undefined : `${isRedis ? 'Redis' : 'Valkey'} ${version}`;
}

import type { BackplaneLinks } from '../redis/backplane.ts';
import { redisName } from '../redis/keys.ts';

export interface DutyOptions {
  /** Redis; absent in single-instance mode. */
  readonly links: Pick<BackplaneLinks, 'commands'> | undefined;
  readonly deployment: string;
  readonly instance: string;
  /** The one on duty asks again within this time, in milliseconds, or another one takes it over. */
  readonly lastsMs: number;
}

/** What one instance does for all: whoever asked first, for as long as it goes on asking. While Redis is away, each. */
export function shareDuty({ links, deployment, instance, lastsMs }: DutyOptions): () => Promise<boolean> {
  const key = redisName(deployment, 'calls', 'duty');
  return async () => {
    const connection = links?.commands.connection;
    if (!connection) return true;
    if ((await connection.set(key, instance, 'PX', lastsMs, 'NX')) === 'OK') return true;
    if ((await connection.get(key)) !== instance) return false;
    await connection.pexpire(key, lastsMs);
    return true;
  };
}

import { environmentNames as names } from '../../app/names.ts';
import { makeCertificate } from './certificate.ts';
import { extraCaFile, extraCaVariable } from './extra-ca.ts';
import type { Guard } from './guard.ts';
import type { PrivateFolder } from './private-folder.ts';
import { prepareRedis, type RedisServer, redisUrl } from './redis-server.ts';
import { redisUsers } from './redis-users.ts';
import { redisVersion } from './redis-version.ts';

export interface RedisSetup {
  readonly server: RedisServer;
  /** What an instance of the service is told. */
  readonly variables: Readonly<Record<string, string>>;
  /** For whoever may read the state file. */
  readonly admin: { readonly url: string; readonly caFile: string };
}

export interface RedisSetupOptions {
  readonly binary: string;
  readonly guard: Guard;
  /** Takes its certificate. */
  readonly folder: PrivateFolder;
  /** What the instances inherit. */
  readonly environment: NodeJS.ProcessEnv;
}

/** As the service's own. */
const defaultDeployment = 'realtime';

/**
 * Prepares a server as the stack makes it, with TLS and the stack's users; it is still to be started.
 * @throws StartError when the program can't be used
 */
export async function setUpRedis({
  binary,
  guard,
  folder,
  environment,
}: RedisSetupOptions): Promise<RedisSetup> {
  const deployment = environment[names.deployment] || defaultDeployment;
  const [version, certificate] = await Promise.all([
    redisVersion(binary),
    makeCertificate('Realtime Stack local Redis'),
  ]);
  const users = redisUsers({ deployment, version });
  const server = await prepareRedis(guard, { binary, version, users, certificate, folder });
  return {
    server,
    variables: {
      [names.redisUrl]: redisUrl(server, users.service),
      [names.deployment]: deployment,
      [extraCaVariable]: extraCaFile(server.ca, environment, folder),
    },
    admin: { url: redisUrl(server, users.admin), caFile: server.caFile },
  };
}

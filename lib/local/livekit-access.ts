import { randomBytes } from 'node:crypto';
import { environmentNames as names } from '../../app/names.ts';
import type { ApiKey } from '../../livekit/config/environment.ts';

/** The key that the service signs tokens with: the environment's own, or one that is made up at each start. */
export function liveKitKey(environment: NodeJS.ProcessEnv): ApiKey {
  return {
    key: environment[names.livekitApiKey] || 'local',
    secret: environment[names.livekitApiSecret] || randomBytes(32).toString('hex'),
  };
}

/** What leads the service to LiveKit behind the load balancer's port. */
export function liveKitVariables(port: number, { key, secret }: ApiKey): Record<string, string> {
  return {
    [names.livekitUrl]: `ws://127.0.0.1:${port}`,
    [names.livekitApiUrl]: `http://127.0.0.1:${port}`,
    [names.livekitApiKey]: key,
    [names.livekitApiSecret]: secret,
  };
}

import { randomBytes } from 'node:crypto';
import { environmentNames as names } from '../../app/names.ts';

/** Who may use the service of a topology. */
export interface Access {
  /** Opens the HTTP API. */
  readonly serviceToken: string;
  /** What the instances are given. */
  readonly variables: Readonly<Record<string, string>>;
}

/**
 * Guests are let in and every token is checked, as on AWS; the secrets are made up at each start, unless the
 * environment has its own. `AUTH=none` stays that.
 */
export function accessOf(environment: NodeJS.ProcessEnv): Access {
  const [given = ''] = (environment[names.serviceToken] ?? '').split(',');
  const serviceToken = given || randomSecret();
  const variables = { [names.serviceToken]: environment[names.serviceToken] || serviceToken };
  if (environment[names.auth] === 'none') return { serviceToken, variables };
  return {
    serviceToken,
    variables: {
      ...variables,
      [names.authSecret]: environment[names.authSecret] || randomSecret(),
      [names.guests]: environment[names.guests] ?? 'true',
    },
  };
}

function randomSecret(): string {
  return randomBytes(32).toString('hex');
}

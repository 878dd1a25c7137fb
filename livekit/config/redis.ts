/** Where Redis is and how to log in: what the service's own setting says, in whatever shape it was given. */
export interface RedisFacts {
  readonly endpoints: readonly { readonly host: string; readonly port: number | string }[];
  readonly username?: string;
  /** Not rendered: see `secretEnvironment`. */
  readonly password?: string;
  readonly tls: boolean;
  /** @default 0 */
  readonly database?: number;
  /** PEM file of the authority that signed the server's certificate. @default the system's */
  readonly caFile?: string;
}

/** LiveKit's words for it. */
export interface RedisSection {
  /** `host:port`: with a scheme LiveKit fails with "too many colons". */
  readonly address: string;
  readonly username?: string;
  readonly db?: number;
  readonly tls?: { readonly enabled: true; readonly ca_cert_file?: string };
}

/**
 * Says the facts in LiveKit's dialect. Nodes share rooms through one database of one server: keys carry no prefix,
 * and Pub/Sub ignores the database, so an environment needs a cache of its own.
 *
 * @throws LiveKitConfigError for more than one endpoint: on a cluster LiveKit fails with CROSSSLOT
 */
export function redisSection({ endpoints, username, tls, database = 0, caFile }: RedisFacts): RedisSection {
  const [endpoint] = endpoints;
  if (!endpoint || endpoints.length > 1) {
    throw new LiveKitConfigError(
      `LiveKit takes one Redis endpoint, got: ${endpoints.length}. Name the primary endpoint, with cluster mode disabled`,
    );
  }
  return {
    address: addressOf(endpoint),
    ...(username === undefined ? {} : { username }),
    ...(database === 0 ? {} : { db: database }),
    ...(tls ? { tls: { enabled: true, ...(caFile === undefined ? {} : { ca_cert_file: caFile }) } } : {}),
  };
}

/** The host can be a reference that the CDK resolves later, so only what can't be one is looked at. */
function addressOf({ host, port }: RedisFacts['endpoints'][number]): string {
  if (host === '' || /:\/\/|[@\s]/.test(host)) {
    throw new LiveKitConfigError(`the Redis host must be a name or an address, got: ${withoutLogin(host)}`);
  }
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function withoutLogin(host: string): string {
  return host.replace(/^.*@/, '…@') || 'nothing';
}

/** A node can't be configured so. */
export class LiveKitConfigError extends Error {
  override readonly name = 'LiveKitConfigError';
}

/** Where Redis is and how to log in, independent of the form in which it was configured. */
export interface RedisFacts {
  readonly endpoints: readonly { readonly host: string; readonly port: number | string }[];
  readonly username?: string;
  /** It is not rendered; see `secretEnvironment`. */
  readonly password?: string;
  readonly tls: boolean;
  /** @default 0 */
  readonly database?: number;
  /** PEM file of the authority that signed the server's certificate. @default the system's */
  readonly caFile?: string;
}

/** The section `redis` of LiveKit's configuration. */
export interface RedisSection {
  /** `host:port`. With a scheme, LiveKit fails with "too many colons". */
  readonly address: string;
  readonly username?: string;
  readonly db?: number;
  readonly tls?: { readonly enabled: true; readonly ca_cert_file?: string };
}

/**
 * Renders the section `redis` of LiveKit's configuration. Keys have no prefix and Pub/Sub ignores the database, so each
 * environment needs a cache of its own.
 *
 * @throws LiveKitConfigError unless there is one endpoint; on a cluster LiveKit fails with CROSSSLOT
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

/** The host may be a reference that the CDK resolves later, so only characters that no reference has are refused. */
function addressOf({ host, port }: RedisFacts['endpoints'][number]): string {
  if (host === '' || /:\/\/|[@\s]/.test(host)) {
    throw new LiveKitConfigError(`the Redis host must be a name or an address, got: ${withoutLogin(host)}`);
  }
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function withoutLogin(host: string): string {
  return host.replace(/^.*@/, '…@') || 'nothing';
}

/** The settings can't be rendered; the message lists every fault. */
export class LiveKitConfigError extends Error {
  override readonly name = 'LiveKitConfigError';
}

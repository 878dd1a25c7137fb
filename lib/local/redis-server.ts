import type { Certificate } from './certificate.ts';
import type { Guard } from './guard.ts';
import { Part } from './part.ts';
import { freePort } from './ports.ts';
import type { PrivateFolder } from './private-folder.ts';
import { type RedisUser, type RedisUsers, userLines } from './redis-users.ts';

export interface RedisOptions {
  /** The server's program. */
  readonly binary: string;
  /** Its name and version, such as `Redis 7.0.15`. */
  readonly version: string;
  readonly users: RedisUsers;
  readonly certificate: Certificate;
  /** Where the certificate and its key go; Redis takes them from files. */
  readonly folder: PrivateFolder;
}

export interface RedisServer {
  readonly part: Part;
  readonly port: number;
  /** Name and version. */
  readonly version: string;
  readonly users: RedisUsers;
  /** PEM, which its certificate is checked against. */
  readonly ca: string;
  /** The same as a file. */
  readonly caFile: string;
  /** The file with the admin's password, so that nobody needs to type it. */
  readonly adminPasswordFile: string;
}

/** A server for a free loopback port, to be started. */
export async function prepareRedis(guard: Guard, options: RedisOptions): Promise<RedisServer> {
  const { version, users, certificate, folder } = options;
  const port = await freePort();
  const caFile = folder.write('redis-ca.pem', certificate.certificate);
  const keyFile = folder.write('redis-key.pem', certificate.key);
  const adminPasswordFile = folder.write('redis-admin-password', users.admin.password);
  const part = new Part({
    id: 'redis',
    kind: 'redis',
    guard,
    // The instances know this port, so a restarted server keeps it.
    launch: async () => ({
      command: options.binary,
      // The passwords are in its input, which is neither in the process list nor on the disk.
      args: ['-'],
      env: { PATH: process.env.PATH, LANG: 'C' },
      port,
      input: redisConfiguration({ port, caFile, keyFile, users }),
    }),
  });
  return { part, port, version, users, ca: certificate.certificate, caFile, adminPasswordFile };
}

interface Configuration {
  readonly port: number;
  readonly caFile: string;
  readonly keyFile: string;
  readonly users: RedisUsers;
}

/** The configuration of a server that lives as long as the topology and answers this machine alone. */
export function redisConfiguration({ port, caFile, keyFile, users }: Configuration): string {
  return [
    'port 0',
    `tls-port ${port}`,
    `tls-cert-file "${caFile}"`,
    `tls-key-file "${keyFile}"`,
    // Clients log in with a password, as on ElastiCache, and show no certificate.
    'tls-auth-clients no',
    'bind 127.0.0.1',
    'protected-mode yes',
    'daemonize no',
    'save ""',
    'appendonly no',
    // An evicting policy loses parts of a room's log unsaid.
    'maxmemory-policy noeviction',
    ...userLines(users),
    '',
  ].join('\n');
}

/** `rediss://user:password@localhost:port`; a name, for names are what certificates are issued for on AWS. */
export function redisUrl({ port }: Pick<RedisServer, 'port'>, { name, password }: RedisUser): string {
  return `rediss://${name}:${password}@localhost:${port}`;
}

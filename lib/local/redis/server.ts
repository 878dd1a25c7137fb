import { connect } from 'node:tls';
import { ManagedProcess } from '../processes/managed-process.ts';
import { freePort } from '../processes/ports.ts';
import type { PrivateFolder, Watchdog } from '../processes/watchdog.ts';
import type { Certificate } from './certificates.ts';
import { type RedisUser, type RedisUsers, userLines } from './users.ts';

export interface RedisServerOptions {
  /** The server's program. */
  readonly binary: string;
  /** Its name and version, such as `Redis 7.0.15`. */
  readonly version: string;
  readonly users: RedisUsers;
  readonly certificate: Certificate;
  /** Takes the certificate and its key, which Redis reads from files. */
  readonly folder: PrivateFolder;
}

export interface RedisServer {
  readonly process: ManagedProcess;
  readonly port: number;
  /** Name and version. */
  readonly version: string;
  readonly users: RedisUsers;
  /** PEM; clients check its certificate against this one. */
  readonly ca: string;
  /** The same as a file. */
  readonly caFile: string;
  /** A file with the administrator's password, so that nobody needs to type it. */
  readonly adminPasswordFile: string;
}

/** Prepares a server for a free loopback port; the caller starts it. */
export async function prepareRedis(watchdog: Watchdog, options: RedisServerOptions): Promise<RedisServer> {
  const { version, users, certificate, folder } = options;
  const port = await freePort();
  const caFile = folder.write('redis-ca.pem', certificate.certificate);
  const keyFile = folder.write('redis-key.pem', certificate.key);
  const adminPasswordFile = folder.write('redis-admin-password', users.admin.password);
  const redis = new ManagedProcess({
    id: 'redis',
    kind: 'redis',
    watchdog,
    // The instances know this port, so a restarted server keeps it.
    launch: async () => ({
      command: options.binary,
      // The passwords go to its standard input, so they are neither in the process list nor on the disk.
      args: ['-'],
      env: { PATH: process.env.PATH, LANG: 'C' },
      port,
      input: redisConfiguration({ port, caFile, keyFile, users }),
    }),
  });
  return { process: redis, port, version, users, ca: certificate.certificate, caFile, adminPasswordFile };
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
    // A policy that evicts would lose messages of a room's log without notice.
    'maxmemory-policy noeviction',
    ...userLines(users),
    '',
  ].join('\n');
}

/** `rediss://user:password@localhost:port`: a host name, since certificates are issued for names on AWS. */
export function redisUrl({ port }: Pick<RedisServer, 'port'>, { name, password }: RedisUser): string {
  return `rediss://${name}:${password}@localhost:${port}`;
}

const replyMs = 1_000;

/**
 * Runs one Redis command on a connection of its own.
 * @returns the replies as they came, in RESP 2; nothing if the server does not answer
 */
export function runCommand(
  { port, ca }: Pick<RedisServer, 'port' | 'ca'>,
  user: RedisUser,
  command: string,
): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ host: '127.0.0.1', servername: 'localhost', port, ca }, () =>
      socket.write(`AUTH ${user.name} ${user.password}\r\n${command}\r\nQUIT\r\n`),
    );
    socket.setTimeout(replyMs, () => socket.destroy());
    socket.setEncoding('utf8').on('data', (data: string) => {
      text += data;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
  });
}

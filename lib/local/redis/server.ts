import { connect } from 'node:tls';
import { ManagedProcess } from '../processes/managed-process.ts';
import { freePort } from '../processes/ports.ts';
import type { PrivateFolder, Watchdog } from '../processes/watchdog.ts';
import type { Certificate } from './certificates.ts';
import { type RedisUser, userLines } from './users.ts';

export interface RedisServerOptions {
  /** @default 'redis' */
  readonly id?: string;
  /** The server's program. */
  readonly binary: string;
  readonly access: RedisAccess;
}

/** How clients get in: over TLS alone, each with a user of its own. */
export interface RedisAccess {
  /** For a person with `redis-cli`, and for tests. There is none on AWS. */
  readonly admin: RedisUser;
  /** All who may log in. */
  readonly users: readonly RedisUser[];
  /** PEM; clients check its certificate against this one. */
  readonly ca: string;
  /** The same as a file. */
  readonly caFile: string;
  readonly keyFile: string;
  /** A file with the administrator's password, so that nobody needs to type it. */
  readonly adminPasswordFile: string;
}

export interface RedisServer {
  readonly process: ManagedProcess;
  readonly port: number;
  readonly access: RedisAccess;
}

/** Writes what servers read from files: they take their passwords from elsewhere. */
export function writeAccess(
  folder: PrivateFolder,
  { certificate, key }: Certificate,
  admin: RedisUser,
): Omit<RedisAccess, 'users'> {
  return {
    admin,
    ca: certificate,
    caFile: folder.write('redis-ca.pem', certificate),
    keyFile: folder.write('redis-key.pem', key),
    adminPasswordFile: folder.write('redis-admin-password', admin.password),
  };
}

/** Prepares a server for a free loopback port; the caller starts it. */
export async function prepareRedis(
  watchdog: Watchdog,
  { id = 'redis', binary, access }: RedisServerOptions,
): Promise<RedisServer> {
  const port = await freePort();
  const redis = new ManagedProcess({
    id,
    kind: 'redis',
    watchdog,
    // The instances know this port, so a restarted server keeps it.
    launch: async () => ({ ...redisLaunch(binary, redisConfiguration({ port, access })), port }),
  });
  return { process: redis, port, access };
}

/** @param configuration goes to its standard input: passwords are neither in the process list nor on the disk */
export function redisLaunch(binary: string, configuration: string) {
  return {
    command: binary,
    args: ['-'],
    env: { PATH: process.env.PATH, LANG: 'C' },
    input: configuration,
  };
}

interface Configuration {
  readonly port: number;
  /** @default no TLS, and nobody logs in */
  readonly access?: RedisAccess | undefined;
  /** Lines of one that is a node of a cluster. @default none */
  readonly more?: readonly string[];
}

/** The configuration of a server that lives as long as the topology and answers this machine alone. */
export function redisConfiguration({ port, access, more = [] }: Configuration): string {
  return [
    ...(access ? accessLines(port, access) : [`port ${port}`]),
    'bind 127.0.0.1',
    'protected-mode yes',
    'daemonize no',
    'save ""',
    'appendonly no',
    // A policy that evicts would lose messages of a room's log without notice.
    'maxmemory-policy noeviction',
    ...more,
    '',
  ].join('\n');
}

function accessLines(port: number, { caFile, keyFile, users }: RedisAccess): string[] {
  return [
    'port 0',
    `tls-port ${port}`,
    `tls-cert-file "${caFile}"`,
    `tls-key-file "${keyFile}"`,
    // Clients log in with a password, as on ElastiCache, and show no certificate.
    'tls-auth-clients no',
    ...userLines(users),
  ];
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
  { port, access: { ca } }: Pick<RedisServer, 'port' | 'access'>,
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

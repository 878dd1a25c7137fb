import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { generate } from 'selfsigned';
import { freePort } from '../../lib/local/processes/ports.ts';
import { redisVersion } from '../../lib/local/redis/version.ts';
import { TcpForwarder } from '../support/network/tcp-forwarder.ts';
import { redisBinary, startRedis, type TestRedis } from '../support/redis/redis.ts';
import { eventually } from '../support/wait.ts';

/** A user as the template has it, with the passwords that are valid. */
export interface CacheUser {
  readonly name: string;
  readonly accessString: string;
  readonly passwords: readonly string[];
}

/** A server with TLS, as ElastiCache is, and with the users of a template. */
export interface Cache {
  readonly port: number;
  /** PEM of its certificate. */
  readonly certificate: string;
  setUsers(users: readonly CacheUser[]): Promise<void>;
  /** Ends every connection of a user. */
  disconnect(user: string): Promise<void>;
  /**
   * What ElastiCache does for a newer engine: a replica of it follows the primary, takes over, and gets the endpoint.
   * @returns what the new primary calls itself
   */
  upgrade(): Promise<string>;
  /** A connection that may do everything. */
  readonly admin: Redis;
  stop(): Promise<void>;
}

/** The engine that an upgrade leads to. */
const newerBinary = process.env.NEWER_REDIS_BIN ?? redisBinary;

/** @param host name for which its certificate is issued */
export async function startCache(host: string): Promise<Cache> {
  const folder = mkdtempSync(join(tmpdir(), 'realtime-cache-'));
  const certificate = await issueCertificate(host, folder);
  let binary = redisBinary;
  let primary = await startServer(binary, folder);
  // The endpoint, which stays when its node changes.
  const endpoint = await TcpForwarder.open(() => [primary.port], '0.0.0.0');
  const admin = connectAdmin(endpoint.port, certificate);
  await eventually('Redis to accept connections', () => admin.status === 'ready');
  let users: readonly CacheUser[] = [];
  return {
    port: endpoint.port,
    certificate,
    admin,
    setUsers: async (wanted) => {
      users = wanted;
      await setUsers(admin, users, await redisVersion(binary));
    },
    disconnect: async (user) => {
      await admin.call('CLIENT', 'KILL', 'USER', user);
    },
    upgrade: async () => {
      const old = primary;
      const next = await startServer(newerBinary, folder);
      const link = connectAdmin(next.port, certificate);
      await setUsers(link, users, await redisVersion(newerBinary));
      await link.replicaof('localhost', old.port);
      await eventually('the new node to follow', async () =>
        (await link.info('replication')).includes('master_link_status:up'),
      );
      await admin.call('CLIENT', 'PAUSE', '10000', 'WRITE');
      const goal = numberIn(await admin.info('replication'), 'master_repl_offset');
      await eventually(
        'the new node to have everything',
        async () => numberIn(await link.info('replication'), 'slave_repl_offset') >= goal,
      );
      await link.replicaof('NO', 'ONE');
      primary = next;
      binary = newerBinary;
      await old.stop();
      endpoint.cut();
      const server = await link.info('server');
      link.disconnect();
      return /^(?:valkey_version|redis_version):\S+/m.exec(server)?.[0] ?? server;
    },
    stop: async () => {
      admin.disconnect();
      await primary.stop();
      await endpoint.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const [certificateName, keyName] = ['certificate.pem', 'key.pem'];

/** @returns PEM of the certificate, which is in the folder too, beside its key */
async function issueCertificate(host: string, folder: string): Promise<string> {
  const altNames = [host, 'localhost'].map((value) => ({ type: 2 as const, value }));
  const { cert, private: key } = await generate([{ name: 'commonName', value: host }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames }],
  });
  writeFileSync(join(folder, certificateName), cert);
  writeFileSync(join(folder, keyName), key, { mode: 0o600 });
  return cert;
}

/** A server that every host reaches, with TLS alone, and with a user for the tests alone. */
async function startServer(binary: string, folder: string): Promise<TestRedis> {
  const port = await freePort();
  const options = {
    '--port': '0',
    '--tls-port': String(port),
    '--tls-cert-file': join(folder, certificateName),
    '--tls-key-file': join(folder, keyName),
    '--tls-ca-cert-file': join(folder, certificateName),
    '--tls-auth-clients': 'no',
    '--tls-replication': 'yes',
    '--masteruser': 'admin',
    '--masterauth': 'admin',
    '--bind': '0.0.0.0',
    '--maxmemory-policy': 'noeviction',
  };
  const users = ['--user', 'default', 'off', '-@all', '--user', 'admin', 'on', '>admin', '~*', '&*', '+@all'];
  return startRedis([...Object.entries(options).flat(), ...users], port, binary);
}

function connectAdmin(port: number, ca: string): Redis {
  const login = { username: 'admin', password: 'admin' };
  const admin = new Redis({ host: 'localhost', port, ...login, tls: { ca }, maxRetriesPerRequest: null });
  admin.on('error', () => undefined);
  return admin;
}

async function setUsers(admin: Redis, users: readonly CacheUser[], version: string): Promise<void> {
  for (const { name, accessString, passwords } of users) {
    const rules = accessString.split(' ').filter((rule) => isKnown(rule, version));
    const valid = passwords.map((each) => `>${each}`);
    // As ModifyUser: the connections of a user stay, and the passwords that are not named are gone.
    await admin.call('ACL', 'SETUSER', name, 'resetpass', ...valid, ...rules);
  }
}

const numberIn = (info: string, field: string): number =>
  Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(info)?.[1]);

/** ElastiCache's Valkey knows this command, and Redis does from 7.2 on. */
function isKnown(rule: string, version: string): boolean {
  const [, major, minor] = /(\d+)\.(\d+)/.exec(version) ?? [];
  return rule !== '+client|setinfo' || Number(major) > 7 || (Number(major) === 7 && Number(minor) >= 2);
}

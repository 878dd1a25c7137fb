import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { generate } from 'selfsigned';
import { freePort } from '../../lib/local/processes/ports.ts';
import { redisVersion } from '../../lib/local/redis/redis.ts';
import { redisBinary } from '../support/redis/redis.ts';
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
  /** A connection that may do everything. */
  readonly admin: Redis;
  stop(): Promise<void>;
}

/** @param host name for which its certificate is issued */
export async function startCache(host: string): Promise<Cache> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'realtime-cache-'));
  const made = await generate([{ name: 'commonName', value: host }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    extensions: [
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: host },
          { type: 2, value: 'localhost' },
        ],
      },
    ],
  });
  const [certificateFile, keyFile] = ['certificate.pem', 'key.pem'].map((name) => join(folder, name)) as [
    string,
    string,
  ];
  writeFileSync(certificateFile, made.cert);
  writeFileSync(keyFile, made.private, { mode: 0o600 });
  const version = await redisVersion(redisBinary);
  const child = spawn(redisBinary, ['-'], { stdio: ['pipe', 'ignore', 'ignore'] });
  child.stdin.end(
    [
      'port 0',
      `tls-port ${port}`,
      `tls-cert-file "${certificateFile}"`,
      `tls-key-file "${keyFile}"`,
      'tls-auth-clients no',
      'bind 0.0.0.0',
      'save ""',
      'maxmemory-policy noeviction',
      'user default off -@all',
      'user admin on >admin ~* &* +@all',
      '',
    ].join('\n'),
  );
  const admin = new Redis({
    host: 'localhost',
    port,
    username: 'admin',
    password: 'admin',
    tls: { ca: readFileSync(certificateFile) },
    maxRetriesPerRequest: null,
  });
  admin.on('error', () => undefined);
  await eventually('Redis to accept connections', () => admin.status === 'ready');
  return {
    port,
    certificate: made.cert,
    admin,
    setUsers: async (users) => {
      for (const { name, accessString, passwords } of users) {
        const rules = accessString.split(' ').filter((rule) => isKnown(rule, version));
        // As ModifyUser: the connections of a user stay, and the passwords that are not named are gone.
        await admin.call(
          'ACL',
          'SETUSER',
          name,
          'resetpass',
          ...passwords.map((each) => `>${each}`),
          ...rules,
        );
      }
    },
    disconnect: async (user) => {
      await admin.call('CLIENT', 'KILL', 'USER', user);
    },
    stop: async () => {
      admin.disconnect();
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** ElastiCache's Valkey knows this command, and Redis does from 7.2 on. */
function isKnown(rule: string, version: string): boolean {
  const [, major, minor] = /(\d+)\.(\d+)/.exec(version) ?? [];
  return rule !== '+client|setinfo' || Number(major) > 7 || (Number(major) === 7 && Number(minor) >= 2);
}

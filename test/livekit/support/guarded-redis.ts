import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { renderAcl } from '../../../app/server/redis/acl.ts';
import { freePort } from '../../../lib/local/processes/ports.ts';
import type { RedisFacts } from '../../../livekit/config/redis.ts';
import { liveKitAcl } from '../../../livekit/config/redis-acl.ts';
import { redisBinary, startRedis, type TestRedis } from '../../support/redis/redis.ts';

/** A Redis as the stack makes it: TLS, LiveKit's own user with its permissions alone, `default` off. */
export interface GuardedRedis {
  readonly facts: RedisFacts;
  readonly server: TestRedis;
  /** May everything. */
  readonly admin: Redis;
  stop(): Promise<void>;
}

const password = 'a-password-of-the-test';

export async function startGuardedRedis(): Promise<GuardedRedis> {
  const folder = mkdtempSync(join(tmpdir(), 'realtime-livekit-'));
  const certificate = makeCertificate(folder);
  const port = await freePort();
  const server = await startRedis([
    ...['--tls-port', String(port), '--tls-auth-clients', 'no'],
    ...[
      '--tls-cert-file',
      certificate.file,
      '--tls-key-file',
      certificate.key,
      '--tls-ca-cert-file',
      certificate.file,
    ],
    ...['--user', 'default', 'off', '-@all'],
    ...['--user', 'livekit', `>${password}`, ...renderAcl(liveKitAcl(serverVersion())).split(' ')],
    ...['--user', 'admin', 'on', '>admin', '~*', '&*', '+@all'],
  ]);
  const admin = new Redis({ port: server.port, username: 'admin', password: 'admin' });
  return {
    server,
    admin,
    facts: {
      endpoints: [{ host: '127.0.0.1', port }],
      username: 'livekit',
      password,
      tls: true,
      caFile: certificate.file,
    },
    stop: async () => {
      admin.disconnect();
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** `Redis server v=7.0.15 …`, `Valkey server v=8.1.0 …` */
function serverVersion(): string {
  return /v=(\S+)/.exec(execFileSync(redisBinary, ['--version'], { encoding: 'utf8' }))?.[1] ?? '';
}

function makeCertificate(folder: string) {
  const [file, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
  execFileSync('openssl', ['req', ...kind, ...subject, '-keyout', key, '-out', file], { stdio: 'ignore' });
  return { file, key };
}

import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Guard } from './guard.ts';
import { Part } from './part.ts';
import { freePort } from './ports.ts';

export interface RedisOptions {
  /** The server's program. @default 'redis-server', looked up on the PATH */
  readonly binary?: string;
  /** Further lines of its configuration, such as `user` and `tls-port`; they are not seen in the process list. */
  readonly extraConfiguration?: readonly string[];
}

/** The configuration of a server that lives as long as the topology and answers this machine alone. */
export function redisConfiguration(port: number, extra: readonly string[] = []): string {
  return [
    `port ${port}`,
    'bind 127.0.0.1',
    'protected-mode yes',
    'daemonize no',
    'save ""',
    'appendonly no',
    // An evicting policy loses parts of a room's log unsaid.
    'maxmemory-policy noeviction',
    ...extra,
    '',
  ].join('\n');
}

export function redisPart(port: number, guard: Guard, options: RedisOptions = {}): Part {
  return new Part({
    id: 'redis',
    kind: 'redis',
    guard,
    // The instances know this port, so a restarted server keeps it.
    launch: async () => ({
      command: options.binary ?? 'redis-server',
      args: ['-'],
      env: { PATH: process.env.PATH, LANG: 'C' },
      port,
      input: redisConfiguration(port, options.extraConfiguration),
    }),
  });
}

export interface RedisServer {
  readonly part: Part;
  readonly port: number;
  /** `redis://127.0.0.1:<port>` */
  readonly url: string;
}

/** A server for a free loopback port, to be started. */
export async function prepareRedis(guard: Guard, options: RedisOptions = {}): Promise<RedisServer> {
  const port = await freePort();
  const part = redisPart(port, guard, options);
  return { part, port, url: `redis://127.0.0.1:${port}` };
}

/** Resolves with the server's name and version, such as `Redis 7.0.15`, once it answers. */
export async function redisReady(port: number, signal: AbortSignal): Promise<string> {
  for (;;) {
    const answer = await ask(port, 'INFO server\r\n').catch(() => '');
    if (answer && !answer.startsWith('-LOADING')) return serverName(answer);
    await delay(25, undefined, { signal });
  }
}

function serverName(info: string): string {
  const valkey = /^valkey_version:(\S+)/m.exec(info)?.[1];
  if (valkey) return `Valkey ${valkey}`;
  const redis = /^redis_version:(\S+)/m.exec(info)?.[1];
  return redis ? `Redis ${redis}` : 'Redis';
}

function ask(port: number, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(command));
    socket.setTimeout(1000, () => socket.destroy(new Error('no answer')));
    socket.once('data', (data) => {
      socket.destroy();
      resolve(data.toString());
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed')));
  });
}

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { io, type Socket } from 'socket.io-client';
import { readEnvironment } from '../../../../app/server/environment.ts';
import { type Service, startService } from '../../../../app/server/service.ts';
import { freePort } from '../../../../lib/local/processes/ports.ts';
import { findProgram } from '../../../../lib/local/programs.mjs';
import { linesOf } from '../../../support/log-lines.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { skipSuite } from '../../../support/skipping.ts';
import { eventually } from '../../../support/wait.ts';

/** Two instances behind the proxies as README.md configures them, each with the proxy's own program where it is here. */

const readme = readFileSync('README.md', 'utf8');

interface Kind {
  readonly name: 'nginx' | 'caddy' | 'haproxy';
  /** The language of its block in README.md. */
  readonly fence: string;
  /** Its configuration's file around that block, in a folder of its own. */
  readonly around: (block: string, folder: string) => string;
  readonly args: (file: string, folder: string) => readonly string[];
  /** It passes a handshake that an instance refuses to the other one; else the client asks again. */
  readonly retries: boolean;
}

const kinds: readonly Kind[] = [
  {
    name: 'nginx',
    fence: 'nginx',
    around: (block, folder) => {
      const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
        (what) => `${what}_temp_path ${folder}/${what};`,
      );
      return `daemon off; pid ${folder}/pid; error_log stderr; events {} http { access_log off; ${temporary.join(' ')}\n${block} }`;
    },
    args: (file, folder) => ['-p', folder, '-c', file],
    retries: true,
  },
  {
    name: 'caddy',
    fence: 'caddyfile',
    around: (block) => `{\n  admin off\n}\n${block}`,
    args: (file) => ['run', '--adapter', 'caddyfile', '--config', file],
    retries: false,
  },
  {
    name: 'haproxy',
    fence: 'haproxy',
    around: (block) => block,
    args: (file) => ['-db', '-f', file],
    retries: true,
  },
];

interface Proxy {
  readonly url: string;
  stop(): Promise<void>;
}

let redis: TestRedis;
let services: Service[];
let adminPorts: number[];
let logs: ReturnType<typeof linesOf>[];
let proxy: Proxy | undefined;
const clients: Socket[] = [];

beforeAll(async () => {
  redis = await startRedis();
});
beforeEach(async () => {
  logs = [linesOf('warn'), linesOf('warn')];
  adminPorts = await Promise.all([freePort(), freePort()]);
  const environments = adminPorts.map((adminPort, index) =>
    readEnvironment({
      AUTH: 'none',
      HOST: '127.0.0.1',
      REDIS_URL: redis.url,
      INSTANCE_ID: `i${index}`,
      ADMIN_PORT: String(adminPort),
      TRUSTED_PROXY_HOPS: '1',
      IDLE_TIMEOUT_SECONDS: '120',
      DRAIN_SECONDS: '1',
    }),
  );
  services = await Promise.all(
    environments.map((environment, index) =>
      startService({ ...environment, port: 0 }, (logs[index] as (typeof logs)[0]).log),
    ),
  );
  await eventually('both to be ready', () => services.every((service) => service.readiness() === 'ok'));
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await proxy?.stop();
  proxy = undefined;
  await Promise.all(services.map((service) => service.stop()));
});
afterAll(() => redis.stop());

async function startProxy(
  { name, fence, around, args }: Kind,
  change = (block: string) => block,
): Promise<Proxy> {
  const [, block = ''] = new RegExp(`^\`\`\`${fence}\n(.*?)^\`\`\`$`, 'ms').exec(readme) ?? [];
  const [one, two] = services.map(({ url }) => new URL(url).host) as [string, string];
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), `realtime-${name}-`));
  const file = join(folder, 'config');
  const here = block
    .replaceAll('10.0.0.1:3000', one)
    .replaceAll('10.0.0.2:3000', two)
    .replace(/(listen |:)80\b/, (_all, before) =>
      before === ':' ? `:${port}` : `${before}127.0.0.1:${port}`,
    );
  writeFileSync(file, around(change(here), folder));
  const child = spawn(programOf(name) as string, args(file, folder), {
    env: { ...process.env, HOME: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = endOf(child, folder);
  const url = `http://127.0.0.1:${port}`;
  await eventually(`${name} to pass requests on`, async () => {
    if (child.exitCode !== null) throw new Error(`${name} ended:\n${ended.output()}`);
    return (await fetch(`${url}/health/live`).catch(() => undefined))?.status === 200;
  });
  return { url, stop: ended.stop };
}

function endOf(child: ChildProcess, folder: string) {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (data) => {
      output += data;
    });
  }
  const exited = once(child, 'exit');
  return {
    output: () => output,
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const programOf = (name: string) => findProgram([name], process.env.PATH, ['/usr/sbin', '/usr/local/sbin']);

/** A suite that needs the proxy's own program; without it, it is skipped. */
function describeBehind(name: Kind['name'], title: string, suite: () => void): void {
  if (programOf(name)) describe(title, suite);
  else skipSuite(title, `no ${name}. To have it: apt-get install ${name}`, suite);
}

/** A client of a page that the proxy serves. */
function connect(transports: ('websocket' | 'polling')[], reconnection = true): Socket {
  const { url } = proxy as Proxy;
  const client = io(`${url}/chat`, {
    transports,
    reconnection,
    reconnectionDelay: 50,
    reconnectionDelayMax: 500,
    forceNew: true,
    withCredentials: true,
    extraHeaders: { origin: url },
  });
  clients.push(client);
  return client;
}

const join_ = (client: Socket, room: string) => client.timeout(10_000).emitWithAck('join', { room });
async function connectionsAt(adminPort: number): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  return Number(/^realtime_connections\{.*"websocket".*\} (\d+)/m.exec(text)?.[1]);
}

const warnings = () => logs.flatMap(({ lines }) => lines()).map(({ msg }) => String(msg));

for (const kind of kinds) {
  const { name, retries } = kind;
  describeBehind(name, `instances behind ${name}`, () => {
    beforeEach(async () => {
      proxy = await startProxy(kind);
    });

    test('are given pages of their own origin, by each transport, with nothing to warn of', async () => {
      const heard: unknown[] = [];
      for (const transport of ['websocket', 'polling'] as const) {
        const client = connect([transport]);
        client.on('message', ({ body }) => heard.push(body));
        expect(await join_(client, 'lobby')).toMatchObject({ ok: true });
      }
      const [writer] = clients as [Socket];
      const publish = { room: 'lobby', body: 'hello' };
      expect(await writer.timeout(10_000).emitWithAck('publish', publish)).toMatchObject({ ok: true });
      await eventually('both to hear it', () => heard.length === 2);
      expect(warnings()).toEqual([]);
    });

    test('drain: their clients come back elsewhere, and new ones are let in all the while', async () => {
      const old = Array.from({ length: 6 }, () => connect(['websocket']));
      await eventually('all to be connected', () => old.every(({ connected }) => connected));
      const counts = await Promise.all(adminPorts.map(connectionsAt));
      const leaving = services[counts[0] === 0 ? 1 : 0] as Service;
      let dropped = 0;
      for (const client of old)
        client.on('disconnect', () => {
          dropped += 1;
        });
      const drained = leaving.drain();
      const during = Array.from({ length: 10 }, () => connect(['websocket'], !retries));
      await eventually('new ones to be let in', () => during.every(({ connected }) => connected));
      await drained;
      await leaving.stop();
      await eventually('all to be back', () => old.every(({ connected }) => connected));
      expect(dropped).toBeGreaterThan(0);
      for (const client of [...old, ...during])
        expect(await join_(client, 'lobby')).toMatchObject({ ok: true });
    });
  });
}

const [nginx] = kinds as [Kind];
describeBehind('nginx', 'an nginx that says too little', () => {
  const refusal = async (client: Socket) => {
    const [error] = await once(client as never, 'connect_error');
    return (error as { description?: { message?: string } }).description?.message;
  };

  test.each([
    ['without Host', (block: string) => block.replace(/proxy_set_header Host.*/, ''), 'Host is "realtime"'],
    ['with $host', (block: string) => block.replace('$http_host', '$host'), 'Host is "127.0.0.1"'],
  ])('%s: pages are refused, and the log says why and what to do', async (_case, change, seen) => {
    proxy = await startProxy(nginx, change);
    expect(await refusal(connect(['websocket'], false))).toContain('403');
    const [warning] = warnings();
    for (const part of [seen, `"${proxy.url}"`, 'proxy_set_header Host $http_host'])
      expect(warning).toContain(part);
  });

  test('without X-Forwarded-For: all are one address, and the log says so', async () => {
    proxy = await startProxy(nginx, (block) => block.replace(/proxy_set_header X-Forwarded-For.*/, ''));
    await once(connect(['websocket']) as never, 'connect');
    expect(warnings()[0]).toContain(
      'X-Forwarded-For absent, which has 0 of the 1 addresses of TRUSTED_PROXY_HOPS',
    );
  });
});

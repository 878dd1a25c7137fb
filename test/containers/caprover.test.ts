import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { paths } from '../../app/names.ts';
import { freePort } from '../../lib/local/processes/ports.ts';
import { lookAt } from '../lib/doctor/url/look-at.ts';
import { runVerify, stateFolder } from '../lib/verify/run-verify.ts';
import { skipSuite } from '../support/skipping.ts';
import { eventually } from '../support/wait.ts';
import { debianServers, serviceImage } from './compose-project.ts';
import { describeWithEngine, engineCommand } from './engine.ts';

jest.setTimeout(1_200_000);

/** A folder with CapRover's `server-block-conf.ejs`, which is not part of this repository. */
const template = join(process.env.CAPROVER_TEMPLATES ?? '', 'server-block-conf.ejs');
const title = 'CapRover’s nginx in front of three instances';

if (process.env.CONTAINERS === 'run' && !existsSync(template))
  skipSuite(title, 'CAPROVER_TEMPLATES names no folder with CapRover’s nginx templates', suite);
else describeWithEngine(title, suite);

function suite() {
  const network = `realtime-caprover-${randomBytes(4).toString('hex')}`;
  const folder = mkdtempSync(join(tmpdir(), 'realtime-caprover-'));
  const state = stateFolder();
  const machineFlags = process.env.CONTAINER_FLAGS?.split(' ') ?? [];
  let url: string;

  const run = (name: string, ...words: readonly string[]) =>
    engineCommand(
      'run',
      '-d',
      '--name',
      `${network}-${name}`,
      '--network',
      network,
      ...machineFlags,
      ...words,
    );

  beforeAll(async () => {
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    const [servers, image] = [await debianServers(), await serviceImage()];
    await engineCommand('network', 'create', network);
    const redis = ['redis-server', '--protected-mode', 'no', '--maxmemory-policy', 'noeviction'];
    await run('redis', '--network-alias', 'srv-captain--redis', servers, ...redis);
    const variables = {
      ConnectionStrings__Redis: 'srv-captain--redis:6379',
      AUTH_SECRET: randomBytes(32).toString('hex'),
      GUESTS: 'true',
      TRUSTED_PROXY_HOPS: '1',
      // CapRover's Host has no port, and serves 80 and 443 alone: a page at another port is of another origin.
      CORS_ORIGINS: url,
    };
    for (const name of ['one', 'two', 'three']) {
      const given = Object.entries(variables).flatMap(([key, value]) => ['-e', `${key}=${value}`]);
      await run(name, '--network-alias', 'srv-captain--realtime', ...given, image);
    }
    writeFileSync(join(folder, 'nginx.conf'), await configuration());
    const mount = `${folder}:/etc/realtime:ro`;
    const nginx = ['nginx', '-c', '/etc/realtime/nginx.conf', '-g', 'daemon off;'];
    await run('nginx', '-p', `127.0.0.1:${port}:80`, '-v', mount, servers, ...nginx);
    await eventually('the instances to be ready behind nginx', async () => {
      const ready = await Promise.all(
        Array.from({ length: 12 }, () => fetch(url + paths.ready).catch(() => undefined)),
      );
      return ready.every((response) => response?.ok);
    });
  });
  afterAll(async () => {
    state.remove();
    for (const name of ['nginx', 'one', 'two', 'three', 'redis'])
      await engineCommand('rm', '-f', '-v', `${network}-${name}`).catch(() => undefined);
    await engineCommand('network', 'rm', network).catch(() => undefined);
    rmSync(folder, { recursive: true, force: true });
  });

  /** As CapRover writes it for an app with “Websocket Support”; the name of the app has the addresses of all instances. */
  async function configuration(): Promise<string> {
    const block = renderTemplate(readFileSync(template, 'utf8'), {
      publicDomain: '_',
      localDomain: 'srv-captain--realtime',
      containerHttpPort: 3000,
      websocketSupport: true,
      staticWebRoot: '/var/empty',
      customErrorPagesDirectory: '/var/empty',
    });
    const inspected = await engineCommand('network', 'inspect', network);
    const gateway = /"[gG]ateway": "([\d.]+)"/.exec(inspected)?.[1] ?? '';
    const isPodman = inspected.includes('dns_enabled');
    // Docker's name service has an address that is the same everywhere, podman's is the gateway.
    const resolved = isPodman ? block.replaceAll('127.0.0.11', gateway) : block;
    return `events { worker_connections 1024; }\nhttp {\n${resolved}\n}\n`;
  }

  test('polling, WebSocket, SignalR and all else that verify proves pass, without stickiness', async () => {
    const outcome = await runVerify(['--url', url, '--instances', '3'], { stateFolder: state.path });
    expect(outcome).toMatchObject({ code: 0, output: expect.stringContaining(' 0 failed') });
    expect(outcome.output).toMatch(/✓ polling.*on 3 instances/);
  });

  test('the doctor finds nothing in the way', async () => {
    expect(await lookAt(url, ['--idle', '1'])).toMatchObject({ code: 0, ok: true });
  });
}

/**
 * Renders an EJS template as far as CapRover's use it: `<% code %>` and `<%- value %>`. Missing values are falsy.
 *
 * @param values what the template knows as `s`
 */
function renderTemplate(template: string, values: Readonly<Record<string, unknown>>): string {
  const code = template.split(/<%([\s\S]*?)%>/).map((part, index) => {
    if (index % 2 === 0) return `text += ${JSON.stringify(part)};`;
    return part.startsWith('-') ? `text += ${part.slice(1)};` : part;
  });
  return new Function('s', `let text = '';\n${code.join('\n')}\nreturn text;`)(values);
}

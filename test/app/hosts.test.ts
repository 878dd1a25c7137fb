import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse, parseAllDocuments } from 'yaml';
import { environmentNames } from '../../app/names.ts';
import { renderAcl, serviceAcl } from '../../app/server/redis/acl.ts';
import { liveKitPaths, portsOfNode } from '../../livekit/config/ports.ts';
import { liveKitAcl } from '../../livekit/config/redis-acl.ts';
import { liveKitConfig } from '../../livekit/config/render.ts';
import { skipSuite } from '../support/skipping.ts';

const app = join(import.meta.dirname, '../../app');
const read = (path: string) => readFileSync(join(app, path), 'utf8');

interface ComposeService {
  readonly environment?: Record<string, string | null>;
  readonly ports?: readonly string[];
}

// YAML 1.1 knows the merge keys with which Compose's files are written.
const compose: { services: Record<string, ComposeService> } = parse(read('compose.yaml'), {
  merge: true,
  // 0400 in Swarm's file is octal.
  version: '1.1',
});
const swarm = parse(read('hosts/swarm.yaml'), { version: '1.1' });
const oneClick = parse(read('hosts/caprover-one-click.yaml'));
const kubernetes = parseAllDocuments(read('hosts/kubernetes.yaml')).map((document) => document.toJS());

test('the users of Redis have the permissions that the stack gives them', () => {
  expect(read('hosts/compose/users.acl').trim().split('\n')).toEqual([
    'user default off -@all',
    'user health on nopass -@all +ping',
    `user app #<service> ${renderAcl(serviceAcl('realtime'))}`,
    // What servers before 7.2 do not know, LiveKit does without.
    `user livekit #<livekit> ${renderAcl(liveKitAcl('Redis 7.0'))}`,
  ]);
});

test.each([1, 2])(
  'LiveKit’s node %i has the configuration that this version knows, and its ports are open',
  (number) => {
    const ports = { ...portsOfNode(number - 1, 7_980), signalling: 7_880, prometheus: 6_789 };
    const node = compose.services[`livekit-${number}`];
    expect(JSON.parse(node?.environment?.LIVEKIT_CONFIG ?? '')).toEqual(
      liveKitConfig({
        address: { kind: 'environment' },
        ports,
        redis: { endpoints: [{ host: 'valkey', port: 6_379 }], username: 'livekit', tls: false },
        webhook: { urls: ['http://app:3000/api/livekit/webhook'], apiKey: 'realtime' },
        logLevel: 'warn',
      }),
    );
    const listen = ['$', '{LISTEN:-127.0.0.1}'].join('');
    const [first, last] = ports.mediaUdp;
    expect(node?.ports).toEqual([
      `${listen}:${ports.mediaTcp}:${ports.mediaTcp}`,
      `${listen}:${first}-${last}:${first}-${last}/udp`,
    ]);
  },
);

test('the load balancer sends LiveKit’s paths to its nodes', () => {
  const [, paths] = /@calls path (.*)/.exec(read('hosts/compose/Caddyfile')) ?? [];
  expect(paths?.split(' ')).toEqual(liveKitPaths);
});

/** The variables that each host gives to the service, with their values. */
const given: Record<string, Record<string, unknown>> = {
  Compose: compose.services.app?.environment ?? {},
  Swarm: swarm.services.app.environment,
  CapRover: oneClick.services.$$cap_appname.environment,
  Kubernetes: Object.fromEntries(
    kubernetes
      .filter(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'realtime')
      .flatMap(({ spec }) => spec.template.spec.containers[0].env)
      .filter(({ name }) => name !== 'POD_IP')
      .map(({ name, value }) => [name, value]),
  ),
};

test.each(Object.keys(given))(
  'on %s the service gets variables that it reads, and no secret in the file',
  (host) => {
    const variables = Object.entries(given[host] ?? {});
    expect(variables.length).toBeGreaterThan(2);
    for (const [name, value] of variables) {
      expect(Object.values(environmentNames)).toContain(name);
      // CapRover's own variables are asked for, or made, when the app is installed.
      if (/SECRET|TOKEN|Redis|REDIS/.test(name) && value) expect(value).toMatch(/\$\$cap_\w+/);
    }
  },
);

test('CapRover finds the Dockerfile, asks for each variable of the one-click app, and names each that it asks for', () => {
  const { schemaVersion, dockerfilePath } = JSON.parse(read('captain-definition'));
  expect(schemaVersion).toBe(2);
  expect(existsSync(join(app, dockerfilePath))).toBe(true);
  const { variables, instructions } = oneClick.caproverOneClickApp;
  const declared = variables.map(({ id }: { id: string }) => id).sort();
  const builtIn = ['$$cap_appname', '$$cap_root_domain'];
  const used = JSON.stringify(oneClick.services).match(/\$\$cap_\w+/g) ?? [];
  expect([...new Set(used)].filter((name) => !builtIn.includes(name)).sort()).toEqual(declared);
  expect(instructions.end).toContain('StopGracePeriod: 30000000000');
});

test('each host has a page, and the pages name files that exist', () => {
  const docs = join(app, '../docs/hosts');
  const pages = readdirSync(docs).sort();
  expect(pages).toEqual(['README.md', 'caprover.md', 'compose.md', 'kubernetes.md', 'swarm.md']);
  for (const page of pages) {
    const text = readFileSync(join(docs, page), 'utf8');
    for (const [, link = ''] of text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g))
      expect([page, link, existsSync(join(docs, link))]).toEqual([page, link, true]);
  }
});

const validate = process.env.KUBERNETES_VALIDATE ?? 'kubernetes-validate';
const title = 'Kubernetes’ own schemas';
if (spawnSync(validate, ['--version']).status === 0) describe(title, validateManifests);
else
  skipSuite(
    title,
    `no ${validate}. To have it: pip install kubernetes-validate, or name one in KUBERNETES_VALIDATE`,
    validateManifests,
  );

function validateManifests() {
  test.each(['1.31', '1.37'])('know every property of the manifests: %s', async (version) => {
    const words = ['-k', `${version}.0`, '--strict', '--quiet', join(app, 'hosts/kubernetes.yaml')];
    expect((await promisify(execFile)(validate, words)).stdout).toBe('');
  });
}

import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { serviceVariables } from '../../app/server/service-variables.ts';
import { contextOf, parseConfig } from '../../lib/config/config.ts';
import { knobs } from '../../lib/config/knobs.ts';
import { readArguments } from '../../lib/doctor/arguments.ts';
import { freePort } from '../../lib/local/processes/ports.ts';
import { checkNames } from '../../lib/verify/registry.ts';
import { agentVariables } from '../../livekit/agent/agent-variables.ts';
import { knownKeys } from '../livekit/config/known-keys.ts';
import { describeInFull } from '../support/full-runs.ts';
import { startRedis } from '../support/redis/redis.ts';
import { startInstance } from '../support/servers/service.ts';
import { skipSuite } from '../support/skipping.ts';
import { eventually } from '../support/wait.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const folder = join(root, 'docs/moving');

const pages = readdirSync(folder)
  .sort()
  .map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') }));
const textOf = (name: string) => pages.find((page) => page.name === name)?.text ?? '';

/** The fenced blocks of a language, without the indentation of a list. */
function blocksOf(text: string, language: string): string[] {
  return [...text.matchAll(/^( *)```(\w+)\n([\s\S]*?)^ *```$/gm)]
    .filter(([, , found]) => found === language)
    .map(([, indent = '', , block = '']) => block.replaceAll(new RegExp(`^${indent}`, 'gm'), ''));
}

/** The commands of a page: lines, together with those that they go on in, and loops as a whole. */
function commandsOf(text: string): string[] {
  return blocksOf(text, 'sh').flatMap((block) =>
    block
      .replaceAll(/\\\n\s*/g, '')
      .split(/\n(?!\s|done)/)
      .map((command) => command.trim())
      .filter(Boolean),
  );
}

const commands = pages.flatMap(({ text }) => commandsOf(text));

/** What proves a command: the test below that runs it or checks its arguments. */
const kinds = {
  aws: /^aws /,
  cdk: /^npx cdk (deploy|diff|synth|destroy)\b/,
  doctor: /^npm run doctor -- /,
  npm: /^npm (start|run \w+)$/,
  docker: /^docker build /,
  curl: /^curl /,
  keys: /^redis-cli .*\bdone$/s,
  redis: /^redis-server /,
  example: /^PORT=\d+ REDIS_URL=\S+ node --import tsx /,
  python: /^(python3 -m venv|\.venv\/bin\/pip install) /,
  backend: /^\(cd \S+ && .* -m backend\)$/,
  service: /^AUTH=none PORT=\d+ REDIS_URL=/,
} as const;

const ofKind = (kind: keyof typeof kinds) => commands.filter((command) => kinds[kind].test(command));

test('every command is of a kind that a test below proves', () => {
  const unproven = commands.filter((command) => !Object.values(kinds).some((kind) => kind.test(command)));
  expect(unproven).toEqual([]);
  for (const kind of Object.keys(kinds) as (keyof typeof kinds)[])
    expect([kind, ofKind(kind).length]).toEqual([kind, expect.any(Number)]);
  expect(commands.length).toBeGreaterThan(30);
});

describe('pages', () => {
  test.each(pages.map(({ name, text }) => [name, text]))('%s links to what exists', (name, text) => {
    for (const [, link = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (link.startsWith('http')) continue;
      const [path = '', anchor] = link.split('#');
      const file = path ? join(folder, path) : join(folder, name);
      expect([link, existsSync(file)]).toEqual([link, true]);
      if (anchor) expect(anchorsOf(readFileSync(file, 'utf8'))).toContain(anchor);
    }
  });

  test('the README leads to them', () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    expect(readme).toContain('](docs/moving/README.md)');
    for (const { name } of pages.filter((page) => page.name !== 'README.md'))
      expect(textOf('README.md')).toContain(`](${name})`);
  });
});

test('checks and alarms that take the place of looking are those that there are', () => {
  const text = textOf('README.md');
  const named = [
    ...(text.split('## What you check by hand')[1] ?? '').matchAll(/`([a-z]+(?:-[a-z]+)*)`/g),
  ].map(([, name = '']) => name);
  expect(named.length).toBeGreaterThan(15);
  expect(named.filter((name) => !checkNames.includes(name))).toEqual([]);
  const runbook = readFileSync(join(root, 'RUNBOOK.md'), 'utf8');
  const articles = [...text.matchAll(/“([^”]+)”/g)].map(([, article = '']) => article);
  expect(articles.length).toBeGreaterThan(5);
  for (const article of articles) expect(runbook).toContain(`### ${article}\n`);
});

/** A heading's anchor as GitHub makes it. */
const anchorsOf = (text: string) =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .trim()
      .replaceAll(/\s/g, '-'),
  );

describe('configuration', () => {
  test('what goes into cdk.json is a configuration that the stack takes', () => {
    const blocks = pages.flatMap(({ text }) => blocksOf(text, 'json'));
    expect(blocks.length).toBeGreaterThanOrEqual(2);
    for (const block of blocks) expect(() => parseConfig(JSON.parse(`{${block}}`))).not.toThrow();
  });

  test('knobs on the command line are knobs', () => {
    for (const command of ofKind('cdk')) {
      const given = [...command.matchAll(/-c (\S+)/g)].map(([, each = '']) => each);
      expect(() => parseConfig(contextOf(given))).not.toThrow();
    }
    for (const command of ofKind('doctor'))
      expect(readArguments(command.split(' ').slice(4), { environment: {} }).deploy).toBe(true);
  });

  test('every name on the right of a table of settings is a knob, a setting or a variable', () => {
    const python = readFileSync(join(root, 'test/examples/python-backend/backend/settings.py'), 'utf8');
    const construct = readFileSync(join(root, 'test/examples/python-backend.ts'), 'utf8');
    const { liveKitSettings } = knobs.shape;
    const settings = JSON.stringify(liveKitSettings, (key, value) =>
      key === '~standard' ? undefined : value,
    );
    const known = new Set<string>([
      ...Object.keys(knobs.shape),
      ...[serviceVariables, agentVariables].flatMap((table) =>
        Object.values(table).map(({ name }: { name: string }) => name),
      ),
      ...[...python.matchAll(/"([A-Z][A-Z_]+)"/g)].map(([, name = '']) => name),
      ...[...construct.matchAll(/\b([A-Z]+_[A-Z_]+):/g)].map(([, name = '']) => name),
      ...[...construct.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, name = '']) => name),
    ]);
    const rows = [...textOf('settings.md').matchAll(/^\| [^|]+\|(.+)\|$/gm)].map(([, right = '']) => right);
    const names = rows.flatMap((right) =>
      [...right.matchAll(/`([A-Za-z_]+)`/g)].map(([, name = '']) => name),
    );
    const unknown = names.filter((name) => !known.has(name) && !settings.includes(`"${name}"`));
    expect(unknown).toEqual(['socketio']);
    expect(names.length).toBeGreaterThan(60);
  });
});

describe('livekit.yaml', () => {
  const [, table = ''] = textOf('settings.md').split('## `livekit.yaml`');
  const named = [...table.matchAll(/^\| ([^|]+)\|/gm)].flatMap(([, left = '']) =>
    [...left.matchAll(/`([a-z_.*]+)`/g)].map(([, name = '']) => name),
  );
  const isNamed = (key: string) =>
    named.some((name) => name === key || (name.endsWith('*') && key.startsWith(name.slice(0, -1))));
  const isSection = (key: string) => [...knownKeys].some((each) => each.startsWith(`${key}.`));

  test('every line that it may have is in the table', () => {
    expect([...knownKeys].filter((key) => !isSection(key) && !isNamed(key))).toEqual([]);
  });

  test('the table names only lines that LiveKit knows, or knew', () => {
    const former = ['redis.use_tls', 'redis.sentinel_*', 'prometheus_port'];
    const isKnown = (name: string) =>
      name.endsWith('*') ? isSection(name.slice(0, -2)) : knownKeys.has(name);
    expect(named.filter((name) => !isKnown(name))).toEqual(former);
  });
});

describe('commands', () => {
  test('npm knows its scripts', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    for (const command of ofKind('npm'))
      expect(Object.keys(scripts)).toContain(command.replace('npm run ', '').replace('npm ', ''));
  });

  test('images are built of folders that tests of containers build too', () => {
    const tests = readdirSync(join(root, 'test/containers'))
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => readFileSync(join(root, 'test/containers', name), 'utf8'))
      .join('\n');
    expect(ofKind('docker').length).toBeGreaterThan(0);
    for (const command of ofKind('docker')) {
      const source = command.split(' ').at(-1) as string;
      expect([source, existsSync(join(root, source, 'Dockerfile'))]).toEqual([source, true]);
      expect(tests).toContain(source.split('/').at(-1));
    }
  });

  test('what Python is given is there', () => {
    const [, requirements = ''] = /-r (\S+)/.exec(ofKind('python').join('\n')) ?? [];
    expect(existsSync(join(root, requirements))).toBe(true);
    // test/python/backend.test.ts runs it.
    expect(ofKind('backend')).toHaveLength(1);
  });

  test('a publish by curl is acknowledged', async () => {
    const serviceToken = 'a service token of 32 characters or more';
    const instance = await startInstance('a', { REDIS_URL: 'none', SERVICE_TOKEN: serviceToken });
    try {
      expect(ofKind('curl')).toHaveLength(2);
      for (const command of ofKind('curl')) {
        const here = command.replace('https://realtime.example.com', instance.url);
        const { stdout } = await shell(here, { SERVICE_TOKEN: serviceToken });
        expect(JSON.parse(stdout)).toMatchObject({ epoch: expect.any(String), offset: 1 });
      }
    } finally {
      await instance.kill('SIGKILL');
    }
  });

  test('two of the example share a room by the Redis that is started for them', async () => {
    const [server] = ofKind('redis') as [string];
    const examples = ofKind('example');
    expect(examples).toHaveLength(2);
    const redisPort = await freePort();
    const started: ChildProcess[] = [start(server.replace('6399', String(redisPort)))];
    try {
      for (const command of examples) {
        const port = await freePort();
        started.push(start(command.replace(/PORT=\d+/, `PORT=${port}`).replace('6399', String(redisPort))));
        await eventually('it to respond', () =>
          fetch(`http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling`).then(
            ({ ok }) => ok,
            () => false,
          ),
        );
      }
    } finally {
      await Promise.all(started.map(end));
    }
  });
});

describe('a Redis that evicts and has no password', () => {
  test('keys without an age are found', async () => {
    const server = await startRedis();
    const redis = new Redis(server.port);
    await redis.set('kept for ever', '1');
    await redis.set('kept for a while', '1', 'EX', 600);
    try {
      const [command = ''] = ofKind('keys');
      const here = command.replaceAll(/-h \S+/g, `-h 127.0.0.1 -p ${server.port}`);
      expect((await shell(`${here}; true`)).stdout.trim()).toBe('kept for ever');
    } finally {
      redis.disconnect();
      await server.stop();
    }
  });

  test('the service says what each step has left to do, and joins after the last one', async () => {
    const [command = ''] = ofKind('service');
    const server = await startRedis(['--maxmemory', '64mb', '--maxmemory-policy', 'volatile-lru']);
    const admin = new Redis(server.port);
    const password = 'secret of sixteen letters'.replaceAll(' ', '-');
    /** The page's command, with an address and a password of this machine. */
    const started = async (url: string) => {
      const port = await freePort();
      const child = start(
        command.replace(/PORT=\d+/, `PORT=${port}`).replace(/REDIS_URL="\S.*?:6379"/, `REDIS_URL=${url}`),
      );
      let output = '';
      child.stdout?.on('data', (data) => {
        output += data;
      });
      const ready = () =>
        fetch(`http://127.0.0.1:${port}/health/ready`).then(
          ({ status }) => status === 200,
          () => false,
        );
      return { child, ready, output: () => output };
    };
    const says = async (url: string, words: string) => {
      const service = await started(url);
      await eventually(`the log to say ${words}`, () => service.output().includes(words));
      expect(await service.ready()).toBe(false);
      expect(service.output()).not.toContain(password);
      await end(service.child);
    };
    const at = (login = '', scheme = 'redis') => `${scheme}://${login}127.0.0.1:${server.port}`;
    const table = textOf('elasticache.md').split('## 6.')[1] ?? '';
    const inTable = (words: string) => {
      expect(table).toContain(`\`${words}\``);
      return words;
    };
    try {
      await says(at(), inTable('noeviction'));
      await admin.config('SET', 'maxmemory-policy', 'noeviction');
      await says(at('', 'rediss'), inTable('speaks plain Redis'));
      await admin.config('SET', 'requirepass', password);
      await says(at(), inTable('NOAUTH'));
      await says(at(':another-password@'), inTable('WRONGPASS'));
      const service = await started(at(`:${password}@`));
      await eventually('the service to join', service.ready);
      await end(service.child);
    } finally {
      admin.disconnect();
      await server.stop();
    }
  });
});

const aws = process.env.AWS_CLI ?? 'aws';

/** Runs a command line of the shell. */
const shell = (command: string, environment: NodeJS.ProcessEnv = {}) =>
  run('sh', ['-c', command], { cwd: root, env: { ...process.env, ...environment } });

const start = (command: string) =>
  spawn('sh', ['-c', `exec env ${command}`], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

function describeWithAwsCli(title: string, suite: () => void): void {
  if (spawnSync(aws, ['--version']).status === 0) describe(title, suite);
  else skipSuite(title, 'no AWS CLI: pip install awscli, or name one in AWS_CLI', suite);
}

/** With its inner commands, each of which stands for a text. */
function awsCommandsIn(command: string): string[] {
  const inner = [...command.matchAll(/"\$\((aws [^)]*)\)"/g)].map(([, each = '']) => each);
  return [...inner, command.replaceAll(/"\$\(aws [^)]*\)"/g, 'a-text-of-sixteen-letters')];
}

describeWithAwsCli('the AWS CLI', () => {
  const all = [...new Set([...ofKind('aws'), ...ofKind('service')].flatMap(awsCommandsIn))];
  const ofService = (service: string) => all.filter((command) => command.startsWith(`aws ${service} `));

  test('is asked of services that are checked here', () => {
    const asked = all.filter((command) => command.startsWith('aws '));
    expect(asked).toEqual(
      expect.arrayContaining([...ofService('elasticache'), ...ofService('secretsmanager')]),
    );
    expect(asked).toHaveLength(ofService('elasticache').length + ofService('secretsmanager').length);
  });

  // It checks the parameters, makes up an answer, and asks nobody.
  const [first = '', ...others] = ofService('elasticache');
  test(`takes \`${first}\``, () => assertTaken(first));

  // Each takes the CLI a second of a processor.
  describeInFull('tools', 'and', () => {
    test.each(others)('takes `%s`', assertTaken);

    // What it makes up for this service breaks its own rules.
    test('gets from Secrets Manager the text alone', async () => {
      const asked: unknown[] = [];
      const secrets = createServer(async (request, response) => {
        let text = '';
        for await (const part of request) text += part;
        asked.push({ target: request.headers['x-amz-target'], ...JSON.parse(text) });
        response.setHeader('content-type', 'application/x-amz-json-1.1');
        response.end(
          JSON.stringify(text.includes('SecretId') ? { SecretString: 'kept' } : { RandomPassword: 'made' }),
        );
      });
      secrets.listen(0, '127.0.0.1');
      await once(secrets, 'listening');
      const { port } = secrets.address() as AddressInfo;
      const outputs: string[] = [];
      for (const command of ofService('secretsmanager')) {
        const here = `${command.replace(/^aws/, aws)} --region us-east-1 --endpoint-url http://127.0.0.1:${port}`;
        const credentials = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' };
        outputs.push((await shell(here, credentials)).stdout.trim());
      }
      secrets.close();
      expect(outputs).toEqual(expect.arrayContaining(['made', 'kept']));
      expect(asked).toContainEqual(
        expect.objectContaining({
          target: 'secretsmanager.GetRandomPassword',
          PasswordLength: 64,
          ExcludePunctuation: true,
        }),
      );
      expect(asked).toContainEqual(
        expect.objectContaining({ target: 'secretsmanager.CreateSecret', Name: 'backend/redis' }),
      );
    });

    test('would refuse a parameter that AWS does not know', async () => {
      const wrong = 'elasticache modify-replication-group --replication-group-id a --transit-encryption b';
      await expect(
        shell(`${aws} ${wrong} --region us-east-1 --generate-cli-skeleton output`),
      ).rejects.toThrow();
    });
  });

  async function assertTaken(command: string): Promise<void> {
    const checked = `${command.replace(/^aws/, aws)} --region us-east-1 --generate-cli-skeleton output`;
    const { stdout } = await shell(checked);
    // What `--query` asks for is in the answer.
    if (command.includes('--query')) expect(stdout.trim()).not.toMatch(/^(null|None|\[\])?$/);
  }
});

import { spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { environmentNames as names } from '../../app/names.ts';
import { freePort } from '../../lib/local/processes/ports.ts';
import { describeInFull } from '../support/full-runs.ts';
import { eventually } from '../support/wait.ts';

const app = join(import.meta.dirname, '../../app');
const folder = mkdtempSync(join(tmpdir(), 'realtime-build-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('an error in the built service', () => {
  // Whoever listens is refused in a way that the service can't foresee.
  const sabotage = `
    import net from 'node:net';
    net.Server.prototype.listen = () => { throw new Error('sabotaged'); };`;
  const { stderr } = spawnSync(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(sabotage)}`, join(app, 'dist/server/main.js')],
    { encoding: 'utf8', env: { PATH: process.env.PATH, [names.auth]: 'none', [names.redisUrl]: 'none' } },
  );

  test('names the function, the source and the line of it', () => {
    expect(stderr).toContain('Error: sabotaged');
    const [, line] = /startService .*\(server\/service\.ts:(\d+):\d+\)/.exec(stderr) ?? [];
    const source = readFileSync(join(app, 'server/service.ts'), 'utf8').split('\n');
    expect(source[Number(line) - 1]).toContain('http.listen(');
  });

  test('names the package where it passed through one', () => {
    expect(stderr).toMatch(/at node_modules\/fastify\/lib\/server\.js:\d+:\d+/);
  });
});

test.each(['build/main.mjs', 'dist/server/main.js'])('%s answers an old Node.js with a sentence', (entry) => {
  const old =
    "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.8' } });";
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(old)}`, join(app, entry)],
    { encoding: 'utf8' },
  );
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toMatch(/^\nThe service needs Node\.js 20\.19 or newer, got: 18\.20\.8\. Install .*\n\n$/);
});

describe('the built service away from its packages', () => {
  const away = join(folder, 'away');
  const server = join(away, 'dist/server');
  beforeAll(() => {
    cpSync(join(app, 'dist'), join(away, 'dist'), { recursive: true });
    writeFileSync(join(away, 'package.json'), '{ "type": "module" }');
  });

  test('starts, with its page, its scripts and all that is optional', async () => {
    const port = await freePort();
    const child = spawn(process.execPath, [join(server, 'main.js')], {
      env: {
        PATH: process.env.PATH,
        [names.host]: '127.0.0.1',
        [names.port]: String(port),
        [names.redisUrl]: 'none',
        [names.authSecret]: 'a secret of thirty-two characters',
        [names.authJwksUrl]: 'http://127.0.0.1:9/keys',
        [names.modelProvider]: 'bedrock',
        [names.modelId]: 'a-model',
        [names.liveKitUrl]: 'ws://127.0.0.1:9',
        [names.liveKitApiKey]: 'key',
        [names.liveKitApiSecret]: 'a secret of thirty-two characters',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data) => {
        output += data;
      });
    }
    try {
      await eventually('a start', () => {
        if (child.exitCode !== null) throw new Error(output);
        return output.includes('listening on');
      });
      const page = await fetch(`http://127.0.0.1:${port}/`);
      expect(await page.text()).toContain('<script type="module"');
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('has every file that it may load later', () => {
    const load = `for (const file of process.argv.slice(1)) await import(file)`;
    const files = readdirSync(join(server, 'chunks')).filter((file) => /^(?!main-).*\.js$/.test(file));
    expect(files.length).toBeGreaterThan(3);
    const { status, stderr } = spawnSync(
      process.execPath,
      ['--input-type=module', '--eval', load, ...files.map((file) => join(server, 'chunks', file))],
      { encoding: 'utf8' },
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  test('brings the licenses of what is in it', () => {
    const licenses = readFileSync(join(server, 'chunks/LICENSES.txt'), 'utf8');
    for (const name of ['fastify', 'socket.io', 'ioredis', '@aws-sdk/client-ssm']) {
      expect(licenses).toMatch(new RegExp(`^${name} [\\d.]+ \\((MIT|Apache-2.0)\\)$`, 'm'));
    }
    expect(licenses).toContain('Permission is hereby granted');
  });
});

const library = join(app, 'dist/library');

test('the modules have their scripts beside them', () => {
  const scripts = (folder: string) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.lua'));
  expect(scripts(join(library, 'server'))).toEqual(scripts(join(app, 'server')));
});

test('the client is also where its folder says', async () => {
  const { openHub } = await import(join(app, 'dist/client/hub.js'));
  expect(openHub).toBe((await import(join(library, 'client/hub.js'))).openHub);
});

test.each([
  ['client/hub', 'openHub'],
  ['server/socketio/attach-rooms', 'attachRooms'],
  ['server/rooms/hub-rooms', 'openRooms'],
])('%s is built as a module with types, for who imports %s', async (module, name) => {
  expect(existsSync(join(library, `${module}.d.ts`))).toBe(true);
  expect(Object.keys(await import(join(library, `${module}.js`)))).toContain(name);
});

describe('a build that fails leaves the last one in place', () => {
  const copy = join(folder, 'copy');
  const hub = join(copy, 'server/hubs/shipped/chat.ts');
  const source = readFileSync(join(app, 'server/hubs/shipped/chat.ts'), 'utf8');
  const tools = {
    // A compiler that does not like TYPE_ERROR, and a page that is quick.
    'typescript/bin/tsc': `
      import { readFileSync, mkdirSync } from 'node:fs';
      mkdirSync(process.argv.at(-1) + '/client', { recursive: true });
      if (readFileSync('server/hubs/shipped/chat.ts', 'utf8').includes('TYPE_ERROR')) {
        console.log('chat.ts(1,1): error TS2322');
        process.exit(2);
      }`,
    'vite/bin/vite.js': `
      import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
      const version = readFileSync('page/version', 'utf8');
      mkdirSync(process.argv.at(-1) + '/assets', { recursive: true });
      writeFileSync(process.argv.at(-1) + '/index.html', version);
      writeFileSync(process.argv.at(-1) + '/assets/' + version + '.js', '');`,
  };
  const build = (...parts: string[]) =>
    spawnSync(process.execPath, [join(copy, 'build/main.mjs'), ...parts], { encoding: 'utf8' });
  const built = () => {
    const files = readdirSync(join(copy, 'dist'), { recursive: true, encoding: 'utf8' }).sort();
    return files.map((file) => [file, statSync(join(copy, 'dist', file)).mtimeMs]);
  };
  let last: ReturnType<typeof built>;

  beforeAll(() => {
    const modules = readdirSync(app).filter((name) => name.endsWith('.ts'));
    for (const name of ['build', 'server', 'protocol', 'package.json', ...modules]) {
      cpSync(join(app, name), join(copy, name), { recursive: true });
    }
    mkdirSync(join(copy, 'node_modules'));
    mkdirSync(join(copy, 'page'));
    writeFileSync(join(copy, 'page/version'), '1');
    for (const name of readdirSync(join(app, 'node_modules'))) {
      if (name === 'typescript' || name === 'vite') continue;
      symlinkSync(join(app, 'node_modules', name), join(copy, 'node_modules', name));
    }
    for (const [file, text] of Object.entries(tools)) {
      mkdirSync(join(copy, 'node_modules', file, '..'), { recursive: true });
      writeFileSync(join(copy, 'node_modules', file), text);
      writeFileSync(join(copy, 'node_modules', file, '../package.json'), '{ "type": "module" }');
    }
    expect(build()).toMatchObject({ status: 0, stderr: '' });
    last = built();
    expect(last.map(([file]) => file)).toEqual(
      expect.arrayContaining(['page/index.html', 'server/main.js', 'server/rooms/log/scripts/append.lua']),
    );
  });
  afterEach(() => {
    writeFileSync(hub, source);
    expect(built()).toEqual(last);
    expect(readdirSync(copy).filter((name) => name.startsWith('.dist'))).toEqual([]);
  });

  test('says where', () => {
    writeFileSync(hub, `${source}const = 3;\n`);
    const { status, stderr } = build();
    expect(status).toBe(1);
    expect(stderr).toContain(`server/hubs/shipped/chat.ts:${source.split('\n').length}:7`);
  });

  test('as a server alone too, and names the package that it misses', () => {
    writeFileSync(hub, `import 'no-such-package';\n${source}`);
    const { status, stderr } = build('server');
    expect(status).toBe(1);
    expect(stderr).toContain('server/hubs/shipped/chat.ts:1:8: Could not resolve "no-such-package"');
  });

  describeInFull('tools', 'whatever is wrong', () => {
    test('by its types says so too', () => {
      writeFileSync(hub, `${source}// TYPE_ERROR\n`);
      const { status, stderr } = build();
      expect(status).toBe(1);
      expect(stderr).toContain('error TS2322');
    });

    test('with its page too, which would not go with the last service', () => {
      writeFileSync(join(copy, 'page/version'), '2');
      writeFileSync(hub, `${source}const = 3;\n`);
      expect(build('server', 'page').status).toBe(1);
    });
  });
});

describeInFull('tools', 'a mistake of a hub’s author', () => {
  test('a package above the service is none of its own: its image would lack it', () => {
    const copy = join(folder, 'copy');
    mkdirSync(join(folder, 'node_modules/above'), { recursive: true });
    writeFileSync(join(folder, 'node_modules/above/index.js'), 'export default 1;');
    const hub = join(copy, 'server/hubs/shipped/chat.ts');
    writeFileSync(hub, `import above from 'above';\nconsole.log(above);\n${readFileSync(hub, 'utf8')}`);
    const { status, stderr } = spawnSync(process.execPath, [join(copy, 'build/main.mjs'), 'server'], {
      encoding: 'utf8',
    });
    expect(status).toBe(1);
    expect(stderr).toContain('server/hubs/shipped/chat.ts: "above" is no dependency of the service');
  });

  test('a module that throws while it is loaded is named by its source and line', () => {
    const copy = join(folder, 'copy');
    const hub = join(copy, 'server/hubs/shipped/chat.ts');
    const source = readFileSync(join(app, 'server/hubs/shipped/chat.ts'), 'utf8');
    writeFileSync(hub, `${source}throw new Error('at load');\n`);
    spawnSync(process.execPath, [join(copy, 'build/main.mjs'), 'server']);
    const { status, stderr } = spawnSync(process.execPath, [join(copy, 'dist/server/main.js')], {
      encoding: 'utf8',
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^Error: at load\n/);
    expect(stderr).toContain(`server/hubs/shipped/chat.ts:${source.split('\n').length}:7`);
  });

  test('a service whose last line throws serves nobody, however long it takes to say so', () => {
    const copy = join(folder, 'copy');
    const main = join(copy, 'server/main.ts');
    writeFileSync(
      main,
      `${readFileSync(join(app, 'server/main.ts'), 'utf8')}throw new Error('at the end');\n`,
    );
    cpSync(join(app, 'server/hubs/shipped/chat.ts'), join(copy, 'server/hubs/shipped/chat.ts'));
    spawnSync(process.execPath, [join(copy, 'build/main.mjs'), 'server']);
    const slowly = `
      import net from 'node:net';
      net.Server.prototype.listen = () => { console.error('it listens'); };
      const { exit } = process;
      process.exit = (code) => setTimeout(exit, 2_000, code);`;
    const { status, stderr } = spawnSync(
      process.execPath,
      ['--import', `data:text/javascript,${encodeURIComponent(slowly)}`, join(copy, 'dist/server/main.js')],
      { encoding: 'utf8', env: { PATH: process.env.PATH, [names.auth]: 'none', [names.redisUrl]: 'none' } },
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(/^Error: at the end\n/);
    expect(stderr).not.toContain('it listens');
  });

  test('a package that is CommonJS is not imported lazily by itself: none of its names would be there', () => {
    const copy = join(folder, 'copy');
    const hub = join(copy, 'server/hubs/shipped/chat.ts');
    writeFileSync(
      hub,
      `const { ECSClient } = await import('@aws-sdk/client-ecs');\nconsole.log(ECSClient);\n`,
    );
    const { status, stderr } = spawnSync(process.execPath, [join(copy, 'build/main.mjs'), 'server'], {
      encoding: 'utf8',
    });
    expect(status).toBe(1);
    expect(stderr).toContain(
      'server/hubs/shipped/chat.ts: import("@aws-sdk/client-ecs") gets none of its exports',
    );
  });
});

test('a page that is open finds the files of the build before', () => {
  const copy = join(folder, 'copy');
  writeFileSync(join(copy, 'page/version'), '3');
  spawnSync(process.execPath, [join(copy, 'build/main.mjs'), 'page']);
  expect(readFileSync(join(copy, 'dist/page/index.html'), 'utf8')).toBe('3');
  expect(readdirSync(join(copy, 'dist/page/assets'))).toEqual(['1.js', '3.js']);
});

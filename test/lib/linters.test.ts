import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { skipSuite } from '../support/skipping.ts';
import type { Json } from './aws/synthesis.ts';
import type { VariantName } from './stack/templates.ts';

// The CDK would capture a stack trace for each token, which jest then maps to the sources.
process.env.CDK_DISABLE_STACK_TRACE = '1';

const run = promisify(execFile);
const cfnLint = process.env.CFN_LINT ?? 'cfn-lint';
const checkov = process.env.CHECKOV ?? 'checkov';
/** Version 1.51 does not know the tags of a listener yet, 1.58 does. */
const leastCfnLint = 58;

/** The second number of `1.58.0`; undefined where the command does not start. */
function minorVersionOf(command: string): number | undefined {
  const { status, stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' });
  return status === 0 ? Number(/\d+\.(\d+)/.exec(stdout)?.[1] ?? 0) : undefined;
}

const folder = mkdtempSync(join(tmpdir(), 'realtime-templates-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Only where there is a linter: loading the CDK takes seconds. */
const templates = () => import('./stack/templates.ts');

async function write(name: string, knobs: Json): Promise<string> {
  const path = join(folder, `${name.replaceAll(' ', '-')}.json`);
  writeFileSync(path, JSON.stringify((await templates()).templateOf(knobs).toJSON()));
  return path;
}

/** The linters end with an error where they find something; what they found is on the standard output. */
async function outputOf(command: string, args: readonly string[]): Promise<string> {
  const { stdout } = await run(command, [...args], { maxBuffer: 64 * 1024 * 1024 }).catch((error) => {
    if (typeof error.code !== 'number') throw error;
    return error as { stdout: string };
  });
  return stdout;
}

function describeWith(command: string, variable: string, leastMinor: number, suite: () => void): void {
  const minor = minorVersionOf(command);
  const what = minor === undefined ? `no ${command}` : `${command} is older than 1.${leastMinor}`;
  const reason = `${what}. To have it: pip install -U ${command}, or name one in ${variable}`;
  if (minor !== undefined && minor >= leastMinor) describe(command, suite);
  else skipSuite(command, reason, suite);
}

describeWith(cfnLint, 'CFN_LINT', leastCfnLint, () => {
  test('finds no error in any variant', async () => {
    const { variants } = await templates();
    const paths = await Promise.all(Object.entries(variants).map(([name, knobs]) => write(name, knobs)));
    const found: Json[] = JSON.parse((await outputOf(cfnLint, ['--format', 'json', ...paths])) || '[]');
    expect(
      found.filter(({ Level }) => Level === 'Error').map(({ Message, Filename }) => [Filename, Message]),
    ).toEqual([]);
  });

  test('would find one', async () => {
    const path = join(folder, 'faulty.json');
    writeFileSync(
      path,
      JSON.stringify({ Resources: { Topic: { Type: 'AWS::SNS::Topic', Properties: { Topicname: 'x' } } } }),
    );
    expect(await outputOf(cfnLint, ['--format', 'json', path])).toContain('Topicname');
  });
});

/** What checkov finds, and why it stays: by check, and by the resources that may fail it. */
const accepted: Readonly<Record<string, readonly [resources: RegExp, reason: string]>> = {
  CKV_AWS_2: [/PrivateLoadBalancerPrivateHttp/, 'inside the VPC it speaks HTTP, as CloudFront does to it'],
  CKV_AWS_103: [/PrivateLoadBalancerPrivateHttp/, 'the same'],
  CKV_AWS_18: [
    /(AccessLogs|ViewerLogs)/,
    'the buckets hold logs: one that logs who reads logs would go on for ever',
  ],
  CKV_AWS_21: [/(AccessLogs|ViewerLogs)/, 'logs are written once and expire'],
  CKV_AWS_26: [/AlarmsTopic/, 'without `kmsKeyArn`: AWS’s own key for topics lets no alarm publish'],
  CKV_AWS_65: [/Cluster/, 'in dev, for its price: `containerInsights`'],
  CKV_AWS_68: [
    /EdgeDistribution/,
    'in dev, and where no web ACL of CloudFront can be created: `waf`, `wafWebAclArn`',
  ],
  CKV_AWS_88: [/LiveKitHosts/, 'browsers exchange media with the hosts directly'],
  CKV_AWS_111: [/LiveKitHostsHostRole/, 'the ECS agent’s own actions, with a condition on the cluster'],
  CKV_AWS_115: [
    /CustomS3AutoDelete/,
    'the CDK’s function that empties buckets, at a deletion and never else',
  ],
  CKV_AWS_116: [/CustomS3AutoDelete/, 'the same'],
  CKV_AWS_117: [/CustomS3AutoDelete/, 'the same'],
  CKV_AWS_149: [/Secret\./, 'without `kmsKeyArn`: AWS’s own key encrypts them'],
  CKV_AWS_158: [/LogGroup\./, 'the same'],
  CKV_AWS_174: [
    /EdgeDistribution/,
    'CloudFront’s default certificate takes no minimum; a domain of your own does',
  ],
  CKV_AWS_260: [/EdgeBalancerPublicLoadBalancer/, 'port 80 of the public load balancer redirects to HTTPS'],
};

/** Without a customer's key these fail as well; with one they must not. */
const withoutKey = ['CKV_AWS_26', 'CKV_AWS_149', 'CKV_AWS_158'];

describeWith(checkov, 'CHECKOV', 0, () => {
  const failuresIn = async (name: string, knobs: Json): Promise<{ check: string; resource: string }[]> => {
    const flags = ['--framework', 'cloudformation', '--compact', '--quiet', '-o', 'json', '-f'];
    const report = JSON.parse(await outputOf(checkov, [...flags, await write(name, knobs)]));
    expect(report.summary).toMatchObject({ parsing_errors: 0 });
    return report.results.failed_checks.map(({ check_id, resource }: Json) => ({
      check: check_id,
      resource,
    }));
  };
  const kmsKeyArn = 'arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0000-1111-2222-333344445555';

  test.each<[name: VariantName, more: Json]>([
    ['dev', {}],
    ['everything on', {}],
    ['own domain', { kmsKeyArn }],
  ])('%s with %j: fails only what the list names', async (name, more) => {
    const { variants } = await templates();
    const failures = await failuresIn(name, { ...variants[name], ...more });
    const hasKey = 'kmsKeyArn' in more;
    const unexpected = failures.filter(({ check, resource }) => {
      const [resources] = accepted[check] ?? [];
      return !resources?.test(resource) || (hasKey && withoutKey.includes(check));
    });
    expect(unexpected).toEqual([]);
    expect(failures.length).toBeGreaterThan(0);
  });
});

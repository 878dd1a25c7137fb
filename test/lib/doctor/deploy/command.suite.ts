import { readFileSync } from 'node:fs';
import { policy } from '../../../../lib/doctor/deploy/preflight.ts';
import { doctor } from '../../../../lib/doctor/doctor.ts';
import { AwsError } from '../../../support/servers/aws.ts';
import {
  answers,
  aws,
  delegated,
  domain,
  existingVpc,
  find,
  mayOnly,
  ownCertificate,
  planOf,
  prod,
  profile,
  sink,
  useAccount,
  withoutRecords,
} from './account.ts';
import { stackIn, subnet } from './recorded.ts';

useAccount();

describe('permissions', () => {
  test('what may not be asked is not checked, and named, and nothing ends', async () => {
    mayOnly('sts:GetCallerIdentity');
    const { summary, text } = await find(domain);
    const reasons = Object.fromEntries(
      summary.findings.flatMap((each) => (each.status === 'not-checked' ? [[each.name, each.reason]] : [])),
    );
    expect(reasons).toEqual({
      bootstrap: 'missing permission ssm:GetParameter',
      stack: 'missing permission cloudformation:DescribeStacks',
      'fargate-vcpus': 'missing permission servicequotas:GetServiceQuota',
      'ec2-vcpus': 'missing permission ec2:DescribeInstanceTypes',
      'elastic-ips': 'missing permission servicequotas:GetServiceQuota',
      vpcs: 'missing permission servicequotas:GetServiceQuota',
      'application-load-balancers': 'missing permission servicequotas:GetServiceQuota',
      'network-load-balancers': 'missing permission servicequotas:GetServiceQuota',
      'cache-nodes': 'missing permission servicequotas:GetServiceQuota',
      zones: 'missing permission ec2:DescribeAvailabilityZones',
      'host-zones': 'missing permission ec2:DescribeInstanceTypeOfferings',
      'dns-zone': 'missing permission route53:GetHostedZone',
      'dns-records': 'missing permission cloudformation:DescribeStacks',
      bedrock: 'missing permission bedrock:GetFoundationModelAvailability',
    });
    // What needs no answer of AWS passes, and counts for nothing.
    expect(summary.ok).toBe(false);
    expect(text).toContain('`npm run doctor -- --policy` prints the IAM policy');
  });

  test('the policy has every action that is asked for, and none that writes', async () => {
    const allowed = policy.Statement.flatMap(({ Action }) => Action);
    for (const knobs of [domain, ownCertificate, profile]) await find(knobs);
    await find(existingVpc, {
      'ec2:DescribeSubnets': {
        subnetSet: [subnet('subnet-0000000a', 'a', 'use1-az1'), subnet('subnet-0000000b', 'b', 'use1-az2')],
      },
    });
    await find(prod, stackIn('UPDATE_COMPLETE'));
    await find(prod, { 'servicequotas:GetServiceQuota': new AwsError(400, 'NoSuchResourceException', '') });
    const asked = new Set(aws.asked.filter((action) => action !== 'sts:GetCallerIdentity'));
    expect([...asked].sort()).toEqual([...allowed].sort());
    expect(allowed.filter((action) => !/:(Get|List|Describe)/.test(action))).toEqual([]);
  });

  test('an answer that is no denial is told, not thrown', async () => {
    const { of } = await find(prod, {
      'ec2:DescribeVpcs': new AwsError(400, 'RequestLimitExceeded', 'slow down'),
    });
    expect(of('vpcs')).toMatchObject({
      status: 'not-checked',
      reason: expect.stringContaining('ec2:DescribeVpcs failed: RequestLimitExceeded'),
    });
  });
});

describe('the command', () => {
  async function run(...words: string[]) {
    const [output, errors] = [sink(), sink()];
    const code = await doctor(words, {
      output,
      errors,
      environment: {},
      resolveNs: delegated,
      resolveCaa: withoutRecords,
    });
    return { code, output: output.text(), errors: errors.text() };
  }
  const deploy = ['--deploy', ...Object.entries(prod).flatMap(([knob, value]) => ['-c', `${knob}=${value}`])];

  test('it ends with 0 if nothing stands in the way, with 1 otherwise', async () => {
    expect(await run(...deploy)).toMatchObject({ code: 0, errors: '' });
    answers['ssm:GetParameter'] = new AwsError(400, 'ParameterNotFound', '');
    expect((await run(...deploy)).code).toBe(1);
  });

  test('as JSON it is one object, and the report goes to the error output', async () => {
    const { output, errors } = await run(...deploy, '--json');
    const summary = JSON.parse(output);
    expect(summary).toMatchObject({ ok: true, account: '123456789012', stack: 'realtime-prod' });
    expect(summary.findings[0]).toMatchObject({ name: 'account', status: 'passed' });
    expect(errors).toContain('✓ bootstrap');
  });

  test('without credentials there is one clear error', async () => {
    const { AWS_ACCESS_KEY_ID: key } = process.env;
    delete process.env.AWS_ACCESS_KEY_ID;
    try {
      const { code, output, errors } = await run(...deploy, '--json');
      expect(code).toBe(2);
      expect(errors).toMatch(/^No AWS credentials that are valid now \(.*\)\. Log in \(`aws sso login`\)/);
      expect(errors.trim().split('\n')).toHaveLength(1);
      expect(JSON.parse(output).ok).toBe(false);
    } finally {
      process.env.AWS_ACCESS_KEY_ID = key;
    }
  });

  test('expired credentials are no credentials', async () => {
    answers['sts:GetCallerIdentity'] = new AwsError(403, 'ExpiredToken', 'The security token is expired');
    expect(await run(...deploy)).toMatchObject({ code: 2, errors: expect.stringContaining('ExpiredToken') });
  });

  test.each([
    [[], 'Say what to look at: `npm run doctor -- --url https://…`'],
    [['--deploi'], "Unknown option '--deploi'. Did you mean --deploy?"],
    [['--deploy', '-c', 'prod'], '`-c` must be knob=value, got: prod'],
    [['--deploy', '-c', 'minTasks=none'], '`minTasks` must be a whole number'],
  ])('%j says what to write', async (words, message) => {
    const { code, errors } = await run(...words);
    expect([code, errors]).toEqual([2, expect.stringContaining(message)]);
  });

  test('the policy and the help need no credentials', async () => {
    expect(JSON.parse((await run('--policy')).output)).toEqual(policy);
    expect((await run('--help')).output).toContain('Exit code:');
    expect(aws.asked).toEqual([]);
  });
});

test('cdk.json is what would be deployed', () => {
  expect(planOf({}).config.stackName).toBe('realtime-dev');
});

test('the policy that the repository keeps for pipelines is the doctor’s', () => {
  expect(JSON.parse(readFileSync('.github/iam/doctor.policy.json', 'utf8'))).toEqual(policy);
});

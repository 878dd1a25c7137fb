import { checks, examine } from '../../../../lib/doctor/deploy/preflight.ts';
import { type Answers, AwsError } from '../../../support/servers/aws.ts';
import {
  delegated,
  delegatedTo,
  domain,
  existingVpc,
  find,
  images,
  ownCertificate,
  planOf,
  prod,
  profile,
  sink,
  useAccount,
  withoutRecords,
} from './account.ts';
import {
  availability,
  certificate,
  certificateArn,
  hostedZone,
  inUse,
  offeredIn,
  quotas,
  recordsOf,
  stackIn,
  subnet,
  zone,
} from './recorded.ts';

useAccount();

test.each([
  ['a domain, calls and a model', domain],
  ['CloudFront', prod],
  ['a certificate that exists', ownCertificate],
])('an account that lacks nothing is well, with %s', async (_, knobs) => {
  const { summary, text } = await find(knobs);
  expect(summary.findings.filter(({ status }) => status !== 'passed')).toEqual([]);
  expect(summary).toMatchObject({ ok: true, account: '123456789012', region: 'us-east-1' });
  expect(text).toContain('Before a deployment of realtime-prod to us-east-1 in the account 123456789012');
  expect(text).toMatch(/✓ fargate-vcpus +64 vCPUs, 4 in use, \d+ needed/);
  expect(text).toMatch(/\d+ findings: \d+ good, 0 in the way, 0 warnings, 0 not checked\./);
});

const gone = (code: string) => new AwsError(400, code, code);

/** Every finding that stands in the way, or may: what is found, and what mends it. */
const faults: readonly (readonly [
  name: string,
  what: string,
  knobs: Record<string, string>,
  change: Answers,
  found: string,
  fix: string,
])[] = [
  [
    'bootstrap',
    'none',
    prod,
    { 'ssm:GetParameter': gone('ParameterNotFound') },
    'no bootstrap',
    '`npx cdk bootstrap aws://123456789012/us-east-1`',
  ],
  [
    'bootstrap',
    'an old one, of a qualifier and with a boundary',
    { ...prod, bootstrapQualifier: 'mine', permissionsBoundary: 'arn:aws:iam::123456789012:policy/bound' },
    { 'ssm:GetParameter': { Parameter: { Value: '3' } } },
    'version 3',
    '`npx cdk bootstrap aws://123456789012/us-east-1 --qualifier mine --toolkit-stack-name CDKToolkit-mine --custom-permissions-boundary bound`, which upgrades it',
  ],
  [
    'stack',
    'a first deployment that failed',
    prod,
    stackIn('ROLLBACK_COMPLETE'),
    'ROLLBACK_COMPLETE',
    'delete-stack',
  ],
  ['stack', 'a deployment under way', prod, stackIn('UPDATE_IN_PROGRESS'), 'UPDATE_IN_PROGRESS', 'wait'],
  [
    'stack',
    'a rollback that failed',
    prod,
    stackIn('UPDATE_ROLLBACK_FAILED'),
    'UPDATE_ROLLBACK_FAILED',
    'continue-update-rollback',
  ],
  [
    'fargate-vcpus',
    'a new account’s quota',
    prod,
    {
      'servicequotas:GetServiceQuota': quotas({ 'L-3032A538': 6 }),
      'cloudwatch:GetMetricStatistics': inUse(2),
    },
    '6 vCPUs, 2 in use',
    '`aws service-quotas request-service-quota-increase --region us-east-1 --service-code fargate --quota-code L-3032A538 --desired-value 8`',
  ],
  [
    'ec2-vcpus',
    'hosts, doubled',
    domain,
    { 'servicequotas:GetServiceQuota': quotas({ 'L-1216C47A': 16 }) },
    '16 vCPUs of standard instances, 4 in use',
    '--service-code ec2 --quota-code L-1216C47A --desired-value 20',
  ],
  [
    'ec2-vcpus',
    'a type that the region lacks',
    domain,
    { 'ec2:DescribeInstanceTypes': new AwsError(400, 'InvalidInstanceType', 'no such type') },
    'us-east-1 has no instances of type c7g.xlarge',
    'describe-instance-type-offerings',
  ],
  [
    'elastic-ips',
    'no room',
    prod,
    { 'servicequotas:GetServiceQuota': quotas({ 'L-0263D0A3': 2 }) },
    '2 Elastic IP addresses, 1 in use',
    '--service-code ec2 --quota-code L-0263D0A3 --desired-value 3',
  ],
  [
    'vpcs',
    'no room',
    prod,
    { 'servicequotas:GetServiceQuota': quotas({ 'L-F678F1CE': 2 }) },
    '2 VPCs, 2 in use',
    '--service-code vpc --quota-code L-F678F1CE --desired-value 3',
  ],
  [
    'application-load-balancers',
    'no room for two',
    domain,
    { 'servicequotas:GetServiceQuota': quotas({ 'L-53DA6B97': 2 }) },
    '2 application load balancers, 1 in use',
    '--quota-code L-53DA6B97 --desired-value 3',
  ],
  [
    'network-load-balancers',
    'no room for TURN',
    domain,
    { 'servicequotas:GetServiceQuota': quotas({ 'L-69A177A2': 1 }) },
    '1 network load balancers, 1 in use',
    '--quota-code L-69A177A2 --desired-value 2',
  ],
  [
    'cache-nodes',
    'no room for three shards',
    { ...prod, cacheShards: '3' },
    { 'servicequotas:GetServiceQuota': quotas({ 'L-DFE45DF3': 7 }) },
    '7 nodes of ElastiCache, 2 in use',
    '--service-code elasticache --quota-code L-DFE45DF3 --desired-value 8',
  ],
  [
    'zones',
    'one without VPC origins among the first',
    prod,
    {
      'ec2:DescribeAvailabilityZones': {
        availabilityZoneInfo: [
          zone('a', 'use1-az3'),
          zone('b', 'use1-az1'),
          zone('c', 'use1-az2'),
          zone('d', 'use1-az4'),
        ],
      },
    },
    "us-east-1a (use1-az3), where CloudFront can't reach a load balancer",
    '`-c availabilityZones=us-east-1b,us-east-1c,us-east-1d`',
  ],
  [
    'zones',
    'too few, by default subnets',
    prod,
    {
      'ec2:DescribeSubnets': {
        subnetSet: [subnet('subnet-1', 'a', 'use1-az1'), subnet('subnet-2', 'b', 'use1-az2')],
      },
    },
    'zones of us-east-1: us-east-1a (use1-az1), us-east-1b',
    '-c availabilityZoneCount=2',
  ],
  [
    'zones',
    'one that the account has not',
    { ...prod, availabilityZones: 'us-east-1a,us-east-1x' },
    {},
    'zones of us-east-1',
    '`-c availabilityZones=us-east-1a,us-east-1b,us-east-1c`',
  ],
  [
    'existing-vpc',
    'a foreign subnet',
    existingVpc,
    { 'ec2:DescribeSubnets': { subnetSet: [subnet('subnet-0000000a', 'a', 'use1-az1')] } },
    'vpc-0123abcd has no subnet-0000000b',
    'aws ec2 describe-subnets',
  ],
  [
    'existing-vpc',
    'another order',
    existingVpc,
    {
      'ec2:DescribeSubnets': {
        subnetSet: [subnet('subnet-0000000a', 'b', 'use1-az2'), subnet('subnet-0000000b', 'a', 'use1-az1')],
      },
    },
    'subnet-0000000a is in us-east-1b, not us-east-1a',
    'reorder',
  ],
  [
    'existing-vpc',
    'a zone without VPC origins',
    existingVpc,
    {
      'ec2:DescribeSubnets': {
        subnetSet: [subnet('subnet-0000000a', 'a', 'use1-az3'), subnet('subnet-0000000b', 'b', 'use1-az2')],
      },
    },
    'subnet-0000000a in use1-az3',
    'subnets of other zones',
  ],
  [
    'existing-vpc',
    'no internet gateway',
    existingVpc,
    {
      'ec2:DescribeSubnets': {
        subnetSet: [subnet('subnet-0000000a', 'a', 'use1-az1'), subnet('subnet-0000000b', 'b', 'use1-az2')],
      },
      'ec2:DescribeInternetGateways': { internetGatewaySet: [] },
    },
    'no internet gateway',
    'aws ec2 attach-internet-gateway --region us-east-1 --vpc-id vpc-0123abcd',
  ],
  [
    'host-zones',
    'nowhere',
    domain,
    { 'ec2:DescribeInstanceTypeOfferings': offeredIn('d') },
    'no c7g.xlarge in us-east-1a, us-east-1b, us-east-1c',
    '`availabilityZones` of us-east-1d',
  ],
  [
    'dns-zone',
    'not here',
    domain,
    { 'route53:GetHostedZone': new AwsError(404, 'NoSuchHostedZone', 'none') },
    'no hosted zone Z0123456789ABC in this account',
    'aws route53 list-hosted-zones',
  ],
  [
    'dns-zone',
    'another name',
    domain,
    { 'route53:GetHostedZone': hostedZone('example.org.') },
    'is example.org',
    'hostedZoneName',
  ],
  [
    'dns-zone',
    'private',
    domain,
    { 'route53:GetHostedZone': hostedZone('example.com.', true) },
    'is private',
    'hostedZoneId',
  ],
  [
    'dns-records',
    'taken',
    domain,
    { 'route53:ListResourceRecordSets': recordsOf(['realtime.example.com.', 'CNAME']) },
    'realtime.example.com (CNAME)',
    'delete them in Route 53',
  ],
  [
    'certificate',
    'not there',
    ownCertificate,
    { 'acm:DescribeCertificate': gone('ResourceNotFoundException') },
    'does not exist',
    '`aws acm request-certificate --region us-east-1 --validation-method DNS --domain-name realtime.example.com --subject-alternative-names turn.example.com`',
  ],
  [
    'certificate',
    'of another account',
    { ...ownCertificate, certificateArn: certificateArn.replace('123456789012', '999999999999') },
    {},
    'is in the account 999999999999',
    'aws acm request-certificate',
  ],
  [
    'certificate',
    'not validated',
    ownCertificate,
    { 'acm:DescribeCertificate': certificate({ Status: 'PENDING_VALIDATION' }) },
    'it waits for its validation',
    '_a.realtime.example.com. CNAME _b.acm-validations.aws.',
  ],
  [
    'certificate',
    'of other names',
    ownCertificate,
    { 'acm:DescribeCertificate': certificate({ SubjectAlternativeNames: ['*.sub.example.com'] }) },
    'it covers realtime.example.com, *.sub.example.com, not turn.example.com',
    'aws acm request-certificate',
  ],
  [
    'certificate',
    'failed',
    ownCertificate,
    { 'acm:DescribeCertificate': certificate({ Status: 'VALIDATION_TIMED_OUT' }) },
    'it is VALIDATION_TIMED_OUT',
    'aws acm request-certificate',
  ],
  [
    'bedrock',
    'no access',
    domain,
    { 'bedrock:GetFoundationModelAvailability': availability({ entitlementAvailability: 'NOT_AVAILABLE' }) },
    'us-east-1: the account has no access',
    'Bedrock console',
  ],
  [
    'bedrock',
    'terms',
    domain,
    {
      'bedrock:GetFoundationModelAvailability': availability({
        agreementAvailability: { status: 'NOT_AVAILABLE' },
      }),
    },
    'us-east-1: its terms are not accepted',
    'Model catalog',
  ],
  [
    'bedrock',
    'a policy',
    domain,
    { 'bedrock:GetFoundationModelAvailability': availability({ authorizationStatus: 'NOT_AUTHORIZED' }) },
    'us-east-1: a policy forbids it',
    'modelId',
  ],
  [
    'bedrock',
    'not in the region',
    domain,
    { 'bedrock:GetFoundationModelAvailability': new AwsError(404, 'ResourceNotFoundException', 'none') },
    'us-east-1: not offered there',
    'modelId',
  ],
  [
    'bedrock',
    'no such profile',
    profile,
    { 'bedrock:GetInferenceProfile': new AwsError(404, 'ResourceNotFoundException', 'none') },
    'eu-west-1 has no inference profile eu.amazon.nova-lite-v1:0',
    'aws bedrock list-inference-profiles --region eu-west-1',
  ],
  [
    'bedrock',
    'a region of the profile that the task may not use',
    { ...profile, modelRegions: 'eu-west-1' },
    {},
    'also runs in eu-west-3',
    '`-c modelRegions=eu-west-1,eu-west-3`',
  ],
];

test.each(faults)('%s: %s', async (name, _, knobs, change, found, fix) => {
  const { summary, of, text } = await find(knobs, change);
  const finding = of(name);
  expect(finding).toMatchObject({
    status: 'failed',
    found: expect.stringContaining(found),
    needed: expect.stringMatching(/\S/),
    fix: expect.stringContaining(fix),
  });
  expect(summary.ok).toBe(false);
  expect(text).toContain(`✗ ${name}`);
  expect(text).toContain('needed: ');
});

test('each check that can fail has been seen failing', () => {
  const seen = new Set(faults.map(([name]) => name));
  // The last is seen below, the one before it in a test of its own. The others never stand in the way.
  const others = ['account', 'price', 'builder', 'dns-caa'];
  const unseen = checks.map(({ name }) => name).filter((name) => !seen.has(name));
  expect(unseen.sort()).toEqual(others.sort());
});

describe('DNS', () => {
  test.each([
    ['other servers', delegatedTo('ns1.registrar.net'), 'example.com is delegated to ns1.registrar.net'],
    [
      'no servers',
      () => Promise.reject(Object.assign(new Error('none'), { code: 'ENOTFOUND' })),
      'DNS knows no servers of example.com',
    ],
  ])('a zone with %s validates no certificate', async (_, resolveNs, found) => {
    const { of } = await find(domain, {}, resolveNs);
    expect(of('dns-zone')).toMatchObject({
      status: 'failed',
      found,
      fix: expect.stringContaining('ns-1.awsdns-01.org, ns-2.awsdns-02.com'),
    });
  });

  const caa = (records: Readonly<Record<string, string[]>>) => async (name: string) => {
    const issuers = records[name];
    if (!issuers) return withoutRecords();
    return issuers.map((issue) => ({ critical: 0, issue }));
  };

  test('CAA records above the name that leave Amazon out let ACM issue nothing', async () => {
    const { of } = await find(domain, {}, delegated, caa({ 'example.com': ['letsencrypt.org'] }));
    expect(of('dns-caa')).toMatchObject({
      status: 'failed',
      found: 'CAA records let only letsencrypt.org issue certificates for realtime.example.com',
      fix: expect.stringContaining('0 issue "amazon.com"'),
    });
  });

  test('Amazon among the authorities is enough, as is a nearer record', async () => {
    const records = { 'example.com': ['letsencrypt.org'], 'realtime.example.com': ['amazontrust.com; a=b'] };
    const { of } = await find(domain, {}, delegated, caa(records));
    expect(of('dns-caa')).toMatchObject({ status: 'passed' });
  });

  test('a certificate that exists needs no authority', async () => {
    const { of } = await find(ownCertificate, {}, delegated, caa({ 'example.com': ['letsencrypt.org'] }));
    expect(of('dns-caa')).toBeUndefined();
  });

  test('a stack that has its certificate is not held up', async () => {
    const change = stackIn('UPDATE_COMPLETE', [['AWS::CertificateManager::Certificate', 'arn:one']]);
    const { of } = await find(domain, change, delegatedTo('ns1.internal.example'));
    expect(of('dns-zone')).toMatchObject({ status: 'warned' });
  });

  test('a resolver that does not answer proves nothing', async () => {
    const { of } = await find(domain, {}, () =>
      Promise.reject(Object.assign(new Error(), { code: 'ETIMEOUT' })),
    );
    expect(of('dns-zone')).toMatchObject({
      status: 'not-checked',
      reason: 'the name servers of example.com could not be asked for: ETIMEOUT',
    });
  });
});

test('what failed and is protected can be deleted once it is not', async () => {
  const change = stackIn('ROLLBACK_COMPLETE');
  const [described] = (change['cloudformation:DescribeStacks'] as { Stacks: object[] }).Stacks;
  Object.assign(described as object, { EnableTerminationProtection: true });
  const { of } = await find(prod, change);
  expect(of('stack')).toMatchObject({
    fix: expect.stringMatching(
      /^`aws cloudformation update-termination-protection .*`, then `aws .*delete-stack/,
    ),
  });
});

describe('warnings', () => {
  const of = async (knobs: Record<string, string>, change: Answers, name: string) => {
    const found = await find(knobs, change);
    expect(found.summary.ok).toBe(true);
    return found.of(name);
  };

  test('a first prod is deployed without protection', async () => {
    const knobs = { ...images, environment: 'prod' };
    expect(await of(knobs, {}, 'stack')).toMatchObject({
      status: 'warned',
      fix: 'deploy with `-c deletionProtection=false` first, then without',
    });
  });

  test('tasks fit as they start, and not when they have scaled out', async () => {
    const change = { 'servicequotas:GetServiceQuota': quotas({ 'L-3032A538': 12 }) };
    expect(await of(prod, change, 'fargate-vcpus')).toMatchObject({
      status: 'warned',
      needed: expect.stringContaining('scaled out to 12 vCPUs'),
    });
  });

  test('a certificate that ends soon', async () => {
    const change = {
      'acm:DescribeCertificate': certificate({ NotAfter: Date.now() / 1_000 + 86_400, Type: 'IMPORTED' }),
    };
    expect(await of(ownCertificate, change, 'certificate')).toMatchObject({
      status: 'warned',
      found: expect.stringContaining('was imported: ACM does not renew it'),
      fix: expect.stringContaining('import-certificate'),
    });
  });

  test('a price that nobody knows', async () => {
    expect(await of({ ...domain, liveKitInstanceType: 'c7i.xlarge' }, {}, 'price')).toMatchObject({
      status: 'warned',
      found: expect.stringContaining('without instance type c7i.xlarge'),
      fix: expect.stringContaining('lib/cost/prices.ts'),
    });
  });

  test('hosts in some of the zones only', async () => {
    const change = { 'ec2:DescribeInstanceTypeOfferings': offeredIn('a', 'b') };
    expect(await of(domain, change, 'host-zones')).toMatchObject({
      status: 'warned',
      found: 'no c7g.xlarge in us-east-1c',
    });
  });
});

test('what a deployed stack has already is not needed again', async () => {
  const change = {
    ...stackIn('UPDATE_COMPLETE', [
      ['AWS::EC2::EIP', 'eip-1'],
      ['AWS::EC2::EIP', 'eip-2'],
      ['AWS::EC2::VPC', 'vpc-1'],
      ['AWS::ElasticLoadBalancingV2::LoadBalancer', 'arn:loadbalancer/app/one'],
      ['AWS::ElasticLoadBalancingV2::LoadBalancer', 'arn:loadbalancer/app/two'],
      ['AWS::ElasticLoadBalancingV2::LoadBalancer', 'arn:loadbalancer/net/one'],
      ['AWS::Route53::RecordSet', 'realtime.example.com'],
      ['AWS::ECS::Service', 'service'],
      ['AWS::AutoScaling::AutoScalingGroup', 'group'],
    ]),
    'servicequotas:GetServiceQuota': quotas({
      'L-0263D0A3': 1,
      'L-F678F1CE': 2,
      'L-53DA6B97': 1,
      'L-69A177A2': 1,
      'L-1216C47A': 16,
      'L-3032A538': 50,
    }),
    'cloudwatch:GetMetricStatistics': inUse(8),
    'route53:ListResourceRecordSets': recordsOf(['realtime.example.com.', 'A']),
  };
  const { summary, of } = await find(domain, change);
  expect(summary.findings.filter(({ status }) => status !== 'passed')).toEqual([]);
  expect(of('stack')).toMatchObject({ found: 'realtime-prod is UPDATE_COMPLETE: this updates it' });
  expect(of('vpcs')).toMatchObject({ found: expect.stringContaining('1 of them there already') });
});

test('a region of the environment that is not the configured one is named', async () => {
  const output = sink();
  await examine(planOf(prod), output, { environment: { AWS_REGION: 'eu-west-1' }, resolveNs: delegated });
  expect(output.text()).toContain('; AWS_REGION is eu-west-1, but the knob `region` counts');
});

test('a family of instances with a quota of its own is not judged by another', async () => {
  const { of } = await find({ ...domain, liveKitInstanceType: 'g5.xlarge' });
  expect(of('ec2-vcpus')).toMatchObject({
    status: 'not-checked',
    reason: expect.stringContaining('Service Quotas'),
  });
});

test('a quota without a value of the account’s own is AWS’s default', async () => {
  const { of } = await find(prod, {
    'servicequotas:GetServiceQuota': new AwsError(400, 'NoSuchResourceException', 'none'),
    'servicequotas:GetAWSDefaultServiceQuota': quotas(),
  });
  expect(of('vpcs')).toMatchObject({ status: 'passed', found: expect.stringContaining('5 VPCs') });
});

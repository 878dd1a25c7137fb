import { type Answers, AwsError } from '../../../support/servers/aws.ts';

export const account = '123456789012';
export const certificateArn = `arn:aws:acm:us-east-1:${account}:certificate/0123`;

const quotaNames: Readonly<Record<string, readonly [value: number, metric?: Record<string, string>]>> = {
  'L-3032A538': [64, { Service: 'Fargate', Type: 'Resource', Resource: 'vCPU', Class: 'Standard/OnDemand' }],
  'L-1216C47A': [64, { Service: 'EC2', Type: 'Resource', Resource: 'vCPU', Class: 'Standard/OnDemand' }],
  'L-0263D0A3': [5],
  'L-F678F1CE': [5],
  'L-53DA6B97': [50],
  'L-69A177A2': [50],
  'L-DFE45DF3': [300],
};

/** A quota as Service Quotas describes it. @param values of codes that differ */
export const quotas =
  (values: Readonly<Record<string, number>> = {}) =>
  (input: string) => {
    const [code = ''] = /L-[0-9A-F]{8}/.exec(input) ?? [];
    const [value, dimensions] = quotaNames[code] ?? [];
    if (value === undefined) return new AwsError(400, 'NoSuchResourceException', code);
    return {
      Quota: {
        QuotaCode: code,
        Value: values[code] ?? value,
        Adjustable: true,
        GlobalQuota: false,
        ...(dimensions && {
          UsageMetric: {
            MetricNamespace: 'AWS/Usage',
            MetricName: 'ResourceCount',
            MetricDimensions: dimensions,
            MetricStatisticRecommendation: 'Maximum',
          },
        }),
      },
    };
  };

/** vCPUs in use, as CloudWatch counts them. */
export const inUse = (vCpus: number) => ({
  Label: 'ResourceCount',
  Datapoints: [
    { Timestamp: 1_795_800_000, Maximum: vCpus - 0.5, Unit: 'None' },
    { Timestamp: 1_795_800_300, Maximum: vCpus, Unit: 'None' },
  ],
});

export const zone = (letter: string, zoneId: string) => ({
  zoneName: `us-east-1${letter}`,
  zoneId,
  zoneState: 'available',
  zoneType: 'availability-zone',
  optInStatus: 'opt-in-not-required',
  regionName: 'us-east-1',
});

export const offeredIn = (...letters: string[]) => ({
  instanceTypeOfferingSet: letters.map((letter) => ({
    instanceType: 'c7g.xlarge',
    locationType: 'availability-zone',
    location: `us-east-1${letter}`,
  })),
});

export const hostedZone = (name = 'example.com.', isPrivate = false) => ({
  HostedZone: {
    Id: '/hostedzone/Z0123456789ABC',
    Name: name,
    CallerReference: 'one',
    Config: { PrivateZone: isPrivate },
    ResourceRecordSetCount: 2,
  },
  DelegationSet: { NameServers: { NameServer: ['ns-1.awsdns-01.org', 'ns-2.awsdns-02.com'] } },
});

export const recordsOf = (...sets: readonly (readonly [name: string, type: string])[]) => ({
  ResourceRecordSets: {
    ResourceRecordSet: sets.map(([Name, Type]) => ({
      Name,
      Type,
      TTL: 60,
      ResourceRecords: { ResourceRecord: [{ Value: '192.0.2.1' }] },
    })),
  },
  IsTruncated: false,
  MaxItems: 20,
});

export const certificate = (more: Record<string, unknown> = {}) => ({
  Certificate: {
    CertificateArn: certificateArn,
    DomainName: 'realtime.example.com',
    SubjectAlternativeNames: ['realtime.example.com', '*.example.com'],
    Status: 'ISSUED',
    Type: 'AMAZON_ISSUED',
    NotAfter: 4_000_000_000,
    InUseBy: [],
    DomainValidationOptions: [
      {
        DomainName: 'realtime.example.com',
        ValidationStatus: 'SUCCESS',
        ValidationMethod: 'DNS',
        ResourceRecord: {
          Name: '_a.realtime.example.com.',
          Type: 'CNAME',
          Value: '_b.acm-validations.aws.',
        },
      },
    ],
    ...more,
  },
});

export const availability = (more: Record<string, unknown> = {}) => ({
  modelId: 'amazon.nova-lite-v1:0',
  agreementAvailability: { status: 'AVAILABLE' },
  authorizationStatus: 'AUTHORIZED',
  entitlementAvailability: 'AVAILABLE',
  regionAvailability: 'AVAILABLE',
  ...more,
});

export const stackIn = (
  status: string,
  resources: readonly (readonly [type: string, id: string])[] = [],
): Answers => ({
  'cloudformation:DescribeStacks': {
    Stacks: [{ StackName: 'realtime-prod', StackStatus: status, CreationTime: '2026-11-01T00:00:00Z' }],
  },
  'cloudformation:ListStackResources': {
    StackResourceSummaries: resources.map(([ResourceType, PhysicalResourceId], index) => ({
      LogicalResourceId: `R${index}`,
      ResourceType,
      PhysicalResourceId,
      ResourceStatus: 'CREATE_COMPLETE',
      LastUpdatedTimestamp: '2026-11-01T00:00:00Z',
    })),
  },
});

export const subnet = (id: string, letter: string, zoneId: string) => ({
  subnetId: id,
  vpcId: 'vpc-0123abcd',
  availabilityZone: `us-east-1${letter}`,
  availabilityZoneId: zoneId,
  state: 'available',
});

/** An account that lacks nothing, in the shapes of the APIs' references. */
export const wellAnswers = (): Answers => ({
  'sts:GetCallerIdentity': {
    Arn: `arn:aws:iam::${account}:user/operator`,
    UserId: 'AIDAEXAMPLE',
    Account: account,
  },
  'ssm:GetParameter': {
    Parameter: { Name: '/cdk-bootstrap/hnb659fds/version', Type: 'String', Value: '30' },
  },
  'cloudformation:DescribeStacks': new AwsError(
    400,
    'ValidationError',
    'Stack with id realtime-prod does not exist',
  ),
  'servicequotas:GetServiceQuota': quotas(),
  'cloudwatch:GetMetricStatistics': inUse(4),
  'ec2:DescribeAddresses': { addressesSet: [{ publicIp: '192.0.2.1', allocationId: 'eipalloc-1' }] },
  'ec2:DescribeVpcs': { vpcSet: [{ vpcId: 'vpc-1' }, { vpcId: 'vpc-2' }] },
  'elasticloadbalancing:DescribeLoadBalancers': {
    LoadBalancers: [
      { LoadBalancerArn: 'arn:app', Type: 'application' },
      { LoadBalancerArn: 'arn:net', Type: 'network' },
    ],
  },
  'elasticache:DescribeCacheClusters': {
    CacheClusters: ['001', '002'].map((node) => ({
      CacheClusterId: `other-${node}`,
      ReplicationGroupId: 'other',
      NumCacheNodes: 1,
    })),
  },
  'ec2:DescribeAvailabilityZones': {
    availabilityZoneInfo: [
      zone('a', 'use1-az1'),
      zone('b', 'use1-az2'),
      zone('c', 'use1-az4'),
      zone('d', 'use1-az6'),
      zone('e', 'use1-az3'),
    ],
  },
  'ec2:DescribeSubnets': { subnetSet: [] },
  'ec2:DescribeInternetGateways': { internetGatewaySet: [{ internetGatewayId: 'igw-1' }] },
  'ec2:DescribeInstanceTypes': {
    instanceTypeSet: [{ instanceType: 'c7g.xlarge', vCpuInfo: { defaultVCpus: 4 } }],
  },
  'ec2:DescribeInstanceTypeOfferings': offeredIn('a', 'b', 'c', 'd'),
  'route53:GetHostedZone': hostedZone(),
  'route53:ListResourceRecordSets': recordsOf(['other.example.com.', 'A']),
  'acm:DescribeCertificate': certificate(),
  'bedrock:GetFoundationModelAvailability': availability(),
  'bedrock:GetInferenceProfile': {
    inferenceProfileName: 'EU Nova Lite',
    inferenceProfileArn: 'arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-lite-v1:0',
    inferenceProfileId: 'eu.amazon.nova-lite-v1:0',
    status: 'ACTIVE',
    type: 'SYSTEM_DEFINED',
    models: ['eu-west-1', 'eu-west-3'].map((region) => ({
      modelArn: `arn:aws:bedrock:${region}::foundation-model/amazon.nova-lite-v1:0`,
    })),
  },
});

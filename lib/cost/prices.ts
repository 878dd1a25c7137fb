/** On-demand prices in us-east-1, in dollars. Other regions cost up to 50% more. */
export const prices = {
  /** When these prices were read from AWS's pages. */
  asOf: '2026-11',
  hoursAMonth: 730,

  fargate: {
    ARM64: { vCpuHour: 0.03238, gbHour: 0.00356 },
    X86_64: { vCpuHour: 0.04048, gbHour: 0.004445 },
  },
  loadBalancerHour: 0.0225,
  capacityUnitHour: 0.008,
  networkCapacityUnitHour: 0.006,
  natGatewayHour: 0.045,
  /** In one zone. */
  interfaceEndpointHour: 0.01,
  publicAddressHour: 0.005,
  secretMonth: 0.4,
  webAclMonth: 5,
  webAclRuleMonth: 1,
  alarmMetricMonth: 0.1,
  /** An account's first three are free, if they show 50 metrics at most. */
  dashboardMonth: 3,
  customMetricMonth: 0.3,
  /** Container Insights charges for each of its metrics. */
  insightMetricMonth: 0.07,
  logGb: 0.5,
  diskGbMonth: 0.08,
  egressGb: 0.09,
} as const;

/** Nodes of ElastiCache for Valkey: dollars an hour, GiB of memory, vCPUs. */
export const cacheNodes: Readonly<
  Record<string, { readonly hour: number; readonly gib: number; readonly cpus: number }>
> = {
  'cache.t4g.micro': { hour: 0.0128, gib: 0.5, cpus: 2 },
  'cache.t4g.small': { hour: 0.0256, gib: 1.37, cpus: 2 },
  'cache.t4g.medium': { hour: 0.052, gib: 3.09, cpus: 2 },
  'cache.m7g.large': { hour: 0.1264, gib: 6.38, cpus: 2 },
  'cache.m7g.xlarge': { hour: 0.2516, gib: 12.94, cpus: 4 },
  'cache.m7g.2xlarge': { hour: 0.5034, gib: 26.05, cpus: 8 },
  'cache.m7g.4xlarge': { hour: 1.0059, gib: 52.26, cpus: 16 },
  'cache.r7g.large': { hour: 0.1752, gib: 13.07, cpus: 2 },
  'cache.r7g.xlarge': { hour: 0.3496, gib: 26.32, cpus: 4 },
};

/** EC2 instances: dollars an hour, vCPUs. */
export const instances: Readonly<Record<string, { readonly hour: number; readonly cpus: number }>> = {
  'c7g.large': { hour: 0.0725, cpus: 2 },
  'c7g.xlarge': { hour: 0.145, cpus: 4 },
  'c7g.2xlarge': { hour: 0.29, cpus: 8 },
  'c7g.4xlarge': { hour: 0.58, cpus: 16 },
};

/** Resource types that cost nothing before traffic. A new type has to be added here, or needs a price. */
const freeTypes = new Set([
  'AWS::ApplicationAutoScaling::ScalableTarget',
  'AWS::AutoScaling::LifecycleHook',
  'AWS::CDK::Metadata',
  'AWS::CertificateManager::Certificate',
  'AWS::CloudFront::Distribution',
  'AWS::CloudFront::Function',
  'AWS::CloudFront::VpcOrigin',
  'AWS::EC2::FlowLog',
  'AWS::EC2::InternetGateway',
  'AWS::EC2::LaunchTemplate',
  'AWS::EC2::Route',
  'AWS::EC2::RouteTable',
  'AWS::EC2::SecurityGroup',
  'AWS::EC2::SecurityGroupEgress',
  'AWS::EC2::SecurityGroupIngress',
  'AWS::EC2::Subnet',
  'AWS::EC2::SubnetRouteTableAssociation',
  'AWS::EC2::VPC',
  'AWS::EC2::VPCGatewayAttachment',
  'AWS::ECS::CapacityProvider',
  'AWS::ECS::ClusterCapacityProviderAssociations',
  'AWS::ECS::TaskDefinition',
  'AWS::ElastiCache::ParameterGroup',
  'AWS::ElastiCache::SubnetGroup',
  'AWS::ElastiCache::User',
  'AWS::ElastiCache::UserGroup',
  'AWS::ElasticLoadBalancingV2::Listener',
  'AWS::ElasticLoadBalancingV2::ListenerRule',
  'AWS::ElasticLoadBalancingV2::TargetGroup',
  // Events of AWS's own services are free.
  'AWS::Events::Rule',
  'AWS::IAM::InstanceProfile',
  'AWS::IAM::Policy',
  'AWS::IAM::Role',
  'AWS::Lambda::Function',
  'AWS::Route53::RecordSet',
  'AWS::S3::Bucket',
  'AWS::S3::BucketPolicy',
  'AWS::SNS::Subscription',
  'AWS::SNS::Topic',
  'AWS::SNS::TopicPolicy',
  'AWS::SSM::Parameter',
  'AWS::WAFv2::WebACLAssociation',
  'AWS::CloudFront::ResponseHeadersPolicy',
  'Custom::S3AutoDeleteObjects',
]);

export const isFree = (type: string): boolean => freeTypes.has(type);

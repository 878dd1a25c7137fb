import type { Json } from '../aws/synthesis.ts';

/** Properties that are named like a physical name, by type and path, and what they are instead. */
const noPhysicalNames: readonly (readonly [RegExp, string])[] = [
  [/^AWS::IAM::Policy PolicyName$/, 'within its role'],
  [/^AWS::ApplicationAutoScaling::ScalingPolicy PolicyName$/, 'within its service'],
  [/^AWS::ECS::TaskDefinition (ContainerDefinitions|Volumes|RuntimePlatform)\./, 'within its task'],
  [/^AWS::ECS::Service LoadBalancers\./, 'names a container'],
  [/^AWS::Events::Rule Targets\./, 'within its rule'],
  [/^AWS::ECS::Cluster ClusterSettings\./, 'names a setting'],
  [/^AWS::ElastiCache::User UserName$/, 'within its user group'],
  [/^AWS::EC2::LaunchTemplate LaunchTemplateData\./, 'names a device'],
  [/^AWS::AutoScaling::AutoScalingGroup MetricsCollection\./, 'names metrics'],
  [/^AWS::WAFv2::WebACL Rules\.(Name|Statement\..*)$/, 'within its web ACL'],
  [/^AWS::CloudFront::Distribution DistributionConfig\./, 'within its distribution'],
  [/^AWS::(CertificateManager::Certificate|Route53::RecordSet) /, 'the domain that the stack is given'],
  [/^AWS::EC2::VPCEndpoint ServiceName$/, 'of AWS'],
  [/^AWS::ElastiCache::ParameterGroup CacheParameterGroupFamily$/, 'of AWS'],
  [/(VpcId|GroupId|SubnetId|PrefixListId)$/, 'of a resource that exists already'],
  // Each has the stack's name among its dimensions or in its namespace; alarms.suite.ts compares them.
  [
    /(\.|^)(MetricName|Dimensions\.Name|Metrics\.Id)$|^AWS::CloudWatch::Alarm (?!AlarmName)/,
    'names a metric',
  ],
];

/** Names of the account, not of a region. */
export const isGlobal = (type: string) => /^AWS::(CloudFront::|CloudWatch::Dashboard)/.test(type);

export interface Name {
  readonly path: string;
  readonly value: Json;
}

/** Everything in a resource that is named like a name or an id. */
export function namesIn({ Type, Properties = {} }: Json): Name[] {
  const found: Name[] = [];
  const walk = (value: Json, path: string): void => {
    if (value === null || typeof value !== 'object') return;
    for (const [key, inner] of Object.entries<Json>(value)) {
      const at = Array.isArray(value) ? path : `${path}${path.endsWith(' ') ? '' : '.'}${key}`;
      const isReference = /^(Ref|Fn::.*)$/.test(Object.keys(Object(inner))[0] ?? '');
      if (/(^|[a-z])(Name|Family|Id)$/.test(key) && (typeof inner === 'string' || isReference))
        found.push({ path: at, value: inner });
      else walk(inner, at);
    }
  };
  walk(Properties, `${Type} `);
  // The names of WAF's metrics are as wide as the account.
  return found.filter(
    ({ path }) =>
      path.endsWith('VisibilityConfig.MetricName') ||
      !noPhysicalNames.some(([pattern]) => pattern.test(path)),
  );
}

/** A reference to another resource of the stack is as unique as that resource. */
export const refersToResource = (value: Json) => /"(Ref":"(?!AWS::)|Fn::GetAtt)/.test(JSON.stringify(value));

import { Stack } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as wafv2 from 'aws-cdk-lib/aws-wafv2';
import { Construct } from 'constructs';

export interface WebAclProps {
  /** REGIONAL for a load balancer; CLOUDFRONT for CloudFront, in us-east-1 only. */
  readonly scope: 'REGIONAL' | 'CLOUDFRONT';

  /** Requests that one address may send in five minutes. All clients behind an address may reconnect at once. */
  readonly requestsPerAddress: number;
}

/**
 * Rules of AWS's common rule set that count requests and don't block them. LiveKit's clients send query strings of
 * 2.9 KB, and the rule allows 2 KB; programs may send no user agent; a body may contain whatever people write to
 * each other.
 */
const countedRules = [
  'SizeRestrictions_QUERYSTRING',
  'SizeRestrictions_BODY',
  'NoUserAgent_HEADER',
  'CrossSiteScripting_BODY',
  'GenericLFI_BODY',
  'GenericRFI_BODY',
];

/**
 * AWS's managed rules, and a rate limit for each address. WAF inspects the handshake of a WebSocket and nothing after
 * it.
 */
export class WebAcl extends Construct {
  readonly arn: string;
  private readonly scope: WebAclProps['scope'];

  constructor(scope: Construct, id: string, props: WebAclProps) {
    super(scope, id);
    const region = Stack.of(this).region;
    if (props.scope === 'CLOUDFRONT' && region !== 'us-east-1')
      throw new Error(`\`scope\` must be REGIONAL outside us-east-1, got: CLOUDFRONT in ${region}`);
    this.scope = props.scope;
    // WAF reserves the name All. The metrics of two stacks in one account must not be added up.
    const metrics = (name: string) => metricsOnly(this.metricsName(name));
    const acl = new wafv2.CfnWebACL(this, 'Acl', {
      scope: props.scope,
      defaultAction: { allow: {} },
      visibilityConfig: metrics(wholeAcl),
      rules: [
        managed(0, 'AWSManagedRulesAmazonIpReputationList'),
        managed(1, 'AWSManagedRulesCommonRuleSet', countedRules),
        managed(2, 'AWSManagedRulesKnownBadInputsRuleSet'),
        rateLimit(3, props.requestsPerAddress),
      ].map((rule) => ({ ...rule, visibilityConfig: metrics(rule.name) })),
    });
    this.arn = acl.attrArn;
  }

  /** Requests that all rules together let in or blocked. @param name as in CloudWatch's namespace AWS/WAFV2 */
  metric(name: 'AllowedRequests' | 'BlockedRequests', props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return new cloudwatch.Metric({
      namespace: 'AWS/WAFV2',
      metricName: name,
      dimensionsMap: {
        WebACL: this.metricsName(wholeAcl),
        Rule: 'ALL',
        // CloudFront's web ACLs are of no region, and their metrics have no such dimension.
        ...(this.scope === 'REGIONAL' && { Region: Stack.of(this).region }),
      },
      statistic: 'Sum',
      ...props,
    });
  }

  private metricsName(name: string): string {
    return `${Stack.of(this).stackName}-${name}`;
  }
}

const wholeAcl = 'WebAcl';

function managed(priority: number, name: string, counted: readonly string[] = []) {
  return {
    name,
    priority,
    overrideAction: { none: {} },
    statement: {
      managedRuleGroupStatement: {
        vendorName: 'AWS',
        name,
        ...(counted.length > 0 && {
          ruleActionOverrides: counted.map((rule) => ({ name: rule, actionToUse: { count: {} } })),
        }),
      },
    },
  };
}

function rateLimit(priority: number, limit: number) {
  return {
    name: 'RequestsPerAddress',
    priority,
    action: { block: {} },
    // IP is the address of the connection. A client can write anything into X-Forwarded-For.
    statement: { rateBasedStatement: { limit, aggregateKeyType: 'IP', evaluationWindowSec: 300 } },
  };
}

/** Sampled requests stay off: they would show the tokens in URLs to everyone who may read WAF. */
function metricsOnly(metricName: string) {
  return { cloudWatchMetricsEnabled: true, sampledRequestsEnabled: false, metricName };
}

import { Stack } from 'aws-cdk-lib';
import * as wafv2 from 'aws-cdk-lib/aws-wafv2';
import { Construct } from 'constructs';

export interface WebAclProps {
  /** For a load balancer, or for CloudFront, whose web ACLs are in us-east-1. */
  readonly scope: 'REGIONAL' | 'CLOUDFRONT';

  /** Requests that one address may send in five minutes: all that sits behind it reconnects at once. */
  readonly requestsPerAddress: number;
}

/**
 * Rules of AWS's common set that count and don't block: LiveKit's clients send queries of 2.9 KB where 2 KB are
 * allowed, programs come without a user agent, and bodies are what people write to each other.
 */
const countedRules = [
  'SizeRestrictions_QUERYSTRING',
  'SizeRestrictions_BODY',
  'NoUserAgent_HEADER',
  'CrossSiteScripting_BODY',
  'GenericLFI_BODY',
  'GenericRFI_BODY',
];

/** AWS's own rules and a rate for each address. WAF sees the handshake of a WebSocket, not what follows. */
export class WebAcl extends Construct {
  readonly arn: string;

  constructor(scope: Construct, id: string, props: WebAclProps) {
    super(scope, id);
    const region = Stack.of(this).region;
    if (props.scope === 'CLOUDFRONT' && region !== 'us-east-1')
      throw new Error(`\`scope\` must be REGIONAL outside us-east-1, got: CLOUDFRONT in ${region}`);
    const acl = new wafv2.CfnWebACL(this, 'Acl', {
      scope: props.scope,
      defaultAction: { allow: {} },
      visibilityConfig: seenAs('All'),
      rules: [
        managed(0, 'AWSManagedRulesAmazonIpReputationList'),
        managed(1, 'AWSManagedRulesCommonRuleSet', countedRules),
        managed(2, 'AWSManagedRulesKnownBadInputsRuleSet'),
        rateOf(3, props.requestsPerAddress),
      ],
    });
    this.arn = acl.attrArn;
  }
}

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
    visibilityConfig: seenAs(name),
  };
}

function rateOf(priority: number, limit: number) {
  return {
    name: 'RequestsPerAddress',
    priority,
    action: { block: {} },
    // Of the connection itself: the first address of X-Forwarded-For is whatever a client writes there.
    statement: { rateBasedStatement: { limit, aggregateKeyType: 'IP', evaluationWindowSec: 300 } },
    visibilityConfig: seenAs('RequestsPerAddress'),
  };
}

/** Sampled requests would show tokens of URLs to whoever may read WAF. */
function seenAs(metricName: string) {
  return { cloudWatchMetricsEnabled: true, sampledRequestsEnabled: false, metricName };
}

import { Annotations, Stack } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type { IDependable } from 'constructs';
import { CloudFrontEdge, cloudFrontRegion } from '../edge/cloudfront-edge.ts';
import type { Edge } from '../edge/edge.ts';
import type { WebAcl } from '../edge/web-acl.ts';
import { Network } from '../network/network.ts';
import type { NetworkPlacement } from '../network/network-placement.ts';
import { type AddAlarm, fiveMinutes, total } from './alarm.ts';

/** Alarms on the way from clients to the service, and from the service to AWS. */
export function addEdgeAlarms(
  add: AddAlarm,
  { edge, network, after }: { edge: Edge; network: NetworkPlacement; after: IDependable },
): void {
  if (edge instanceof CloudFrontEdge) addCloudFrontAlarm(add, edge, after);
  if (edge.webAcl) addWebAclAlarm(add, edge.webAcl, after);
  const portErrors =
    network instanceof Network ? network.metricOfNatGateways('ErrorPortAllocation', total) : undefined;
  if (portErrors)
    add('NatPorts', {
      after,
      runbook: 'A NAT gateway has no free ports',
      meaning: 'A NAT gateway refused connections: it has no port left for their destination.',
      metric: portErrors,
      above: 0,
      points: [1, 3],
      noData: 'fine',
      because: 'a gateway without traffic reports nothing',
    });
}

function addCloudFrontAlarm(add: AddAlarm, edge: CloudFrontEdge, after: IDependable): void {
  if (Stack.of(edge).region !== cloudFrontRegion) {
    Annotations.of(edge).addInfoV2(
      'realtime-stack:no-cloudfront-alarm',
      `No alarm watches CloudFront’s errors: its metrics are in ${cloudFrontRegion}, and an alarm of another region can’t read them. RUNBOOK.md, “CloudFront responds with errors”, has the command that creates one there.`,
    );
    return;
  }
  add('CloudFrontErrors', {
    after,
    runbook: 'CloudFront responds with errors',
    meaning: 'CloudFront answers more than 5% of requests with a status of 500 or more.',
    metric: new cloudwatch.MathExpression({
      // Of a few requests, a single failure would be several percent.
      expression: 'IF(requests > 100, errors, 0)',
      label: '% of requests',
      period: fiveMinutes,
      usingMetrics: {
        requests: edge.metric('Requests', total),
        errors: edge.metric('5xxErrorRate', { statistic: 'Average', period: fiveMinutes }),
      },
    }),
    above: 5,
    points: [2, 3],
    noData: 'fine',
    because: 'CloudFront reports nothing while there are no requests',
  });
}

function addWebAclAlarm(add: AddAlarm, acl: WebAcl, after: IDependable): void {
  add('WafBlocks', {
    after,
    runbook: 'WAF blocks many requests',
    meaning: 'WAF blocks more than a fifth of all requests: somebody attacks, or a rule meets clients.',
    metric: new cloudwatch.MathExpression({
      expression: 'IF(blocked > 100, 100 * blocked / (blocked + FILL(allowed, 0)), 0)',
      label: '% of requests',
      period: fiveMinutes,
      usingMetrics: {
        blocked: acl.metric('BlockedRequests', total),
        allowed: acl.metric('AllowedRequests', total),
      },
    }),
    above: 20,
    points: [2, 3],
    noData: 'fine',
    because: 'WAF reports nothing while it blocks nothing',
  });
}

import { Duration } from 'aws-cdk-lib';
import { HostedZone, type IHostedZone } from 'aws-cdk-lib/aws-route53';
import type { Construct } from 'constructs';
import { CloudFrontEdge } from '../aws/edge/cloudfront-edge.ts';
import type { Edge } from '../aws/edge/edge.ts';
import { PublicEdge } from '../aws/edge/public-edge.ts';
import { TurnBalancer } from '../aws/edge/turn-balancer.ts';
import type { Place } from '../aws/network/place.ts';
import { cloudFrontPrefixLists } from '../config/cloudfront-regions.ts';
import type { RealtimeConfig } from '../config/config.ts';
import { removalPolicyOf } from './removal.ts';

/** CloudFront, or a load balancer under a domain of one's own. */
export function createEdge(scope: Construct, config: RealtimeConfig, place: Place): Edge {
  const props = {
    place,
    idleTimeout: Duration.seconds(config.idleTimeoutSeconds),
    drainTime: Duration.seconds(config.drainSeconds),
    deletionProtection: config.deletionProtection,
    removalPolicy: removalPolicyOf(config),
    webAclRequestsPerAddress: config.waf ? config.wafRequestsPerAddress : undefined,
  };
  if (!config.domainName)
    return new CloudFrontEdge(scope, 'Edge', {
      ...props,
      prefixListId: cloudFrontPrefixLists[config.region] as string,
      webAclArn: config.wafWebAclArn,
    });
  return new PublicEdge(scope, 'Edge', {
    ...props,
    domainName: config.domainName,
    certificateArn: config.certificateArn,
    hostedZone: hostedZoneOf(scope, config),
  });
}

/** TURN over TLS, under a name beside the domain. @param domainName as `turnDomainOf` gives it */
export function createTurnBalancer(
  scope: Construct,
  config: RealtimeConfig,
  place: Place,
  domainName: string,
): TurnBalancer {
  const hostedZone = hostedZoneOf(scope, config);
  return new TurnBalancer(scope, 'Turn', {
    place,
    domainName,
    hostedZone,
    certificateArn: hostedZone ? undefined : config.certificateArn,
    deletionProtection: config.deletionProtection,
    removalPolicy: removalPolicyOf(config),
  });
}

/** @returns undefined where TURN is not wanted, or nothing can vouch for a name of its own */
export function turnDomainOf(config: RealtimeConfig): string | undefined {
  const { turn, liveKitNodes, domainName, turnDomainName, hostedZoneId } = config;
  if (!turn || liveKitNodes === 0 || !domainName) return undefined;
  return turnDomainName ?? (hostedZoneId ? `turn.${domainName}` : undefined);
}

/** The edge, as LiveKit's clients write it. */
export const webSocketOf = ({ url }: Edge): string => url.replace(/^http/, 'ws');

function hostedZoneOf(scope: Construct, config: RealtimeConfig): IHostedZone | undefined {
  const { hostedZoneId, hostedZoneName } = config;
  if (!hostedZoneId || !hostedZoneName) return undefined;
  const known = scope.node.tryFindChild('Zone') as IHostedZone | undefined;
  return (
    known ?? HostedZone.fromHostedZoneAttributes(scope, 'Zone', { hostedZoneId, zoneName: hostedZoneName })
  );
}

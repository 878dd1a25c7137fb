import { Duration, type RemovalPolicy } from 'aws-cdk-lib';
import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Construct } from 'constructs';
import type { NetworkPlacement } from '../network/network-placement.ts';
import { logBucket } from './log-bucket.ts';

export interface LoadBalancerProps {
  readonly network: NetworkPlacement;

  /** Time after which a connection without traffic is closed. It must be above the clients' heartbeat. */
  readonly idleTimeout: Duration;

  /** Time over which a service that leaves sends its clients to other instances. */
  readonly drainTime: Duration;

  /** The load balancer can't be deleted until this is turned off. */
  readonly deletionProtection: boolean;

  /** What happens to the access log when the stack is deleted. */
  readonly removalPolicy: RemovalPolicy;
}

export interface RouteProps {
  /** Name of the target group. */
  readonly name: string;

  /**
   * Paths that are sent to this target, such as `/rtc*`. A load balancer takes five paths and names in one route.
   * @default - every path that no other route takes
   */
  readonly paths?: readonly string[];

  /**
   * Host names that are sent to this target, such as `api.example.com`; with `paths`, only those paths of them. The
   * certificate must cover them, and their DNS records lead to the load balancer. Behind CloudFront there is one name.
   * @default - every name
   */
  readonly hosts?: readonly string[];

  /**
   * Place among the routes with `paths` or `hosts`, from 1 to 50,000; the lowest that matches counts. One of a service of
   * your own is clear of those of the stack from 1,000 on, whatever else the stack gets.
   * @default - behind the routes before it
   */
  readonly priority?: number;

  /** Port that the target listens on. */
  readonly port: number;

  /** Path that answers while the target accepts new clients. */
  readonly readyPath: string;

  /**
   * HTTP codes that count as healthy.
   * @default '200'
   */
  readonly healthyCodes?: string;

  /**
   * Whether targets are instances, for host networking, or the addresses of tasks.
   * @default TargetType.IP
   */
  readonly targetType?: elbv2.TargetType;

  /**
   * Time for which a deregistered target keeps its open connections.
   * @default - the drain time of the service, and 30 s
   */
  readonly deregistrationDelay?: Duration;

  /**
   * All requests of a client go to the same target, which HTTP long-polling needs.
   * @default true
   */
  readonly sticky?: boolean;

  /**
   * When a target counts as unhealthy, and ECS replaces it: after this many failed checks, at this interval.
   * @default - 3 checks, every 10 seconds
   */
  readonly unhealthyAfter?: { readonly checks: number; readonly every: Duration };
}

/**
 * ECS deregisters a target, the load balancer closes the open connections at the end of the delay, and SIGTERM comes
 * after that. The delay is therefore this much longer than the drain.
 */
const marginAfterDrain = Duration.seconds(30);

/** The gaps leave room for a rule between two others. */
const priorityStep = 10;

/**
 * An application load balancer, public or internal, with sticky sessions for HTTP long-polling.
 *
 * The ids of its resources contain which of the two it is. A change from one to the other thus creates new resources:
 * CloudFormation could not update a load balancer in place, and a target group can't move to another one.
 */
export class LoadBalancer extends Construct implements ec2.IConnectable {
  readonly connections: ec2.Connections;
  readonly resource: elbv2.ApplicationLoadBalancer;

  /** Time after which a connection without traffic is closed. Services keep theirs alive for longer. */
  readonly idleTimeout: Duration;

  private readonly props: LoadBalancerProps;
  private readonly kind: 'Public' | 'Private';
  private readonly groups: elbv2.ApplicationTargetGroup[] = [];
  private listener: elbv2.ApplicationListener | undefined;

  constructor(scope: Construct, id: string, kind: 'Public' | 'Private', props: LoadBalancerProps) {
    super(scope, id);
    this.kind = kind;
    this.props = props;
    this.idleTimeout = props.idleTimeout;
    const { network } = props;
    this.resource = new elbv2.ApplicationLoadBalancer(this, `${kind}LoadBalancer`, {
      vpc: network.vpc,
      internetFacing: kind === 'Public',
      vpcSubnets: kind === 'Public' ? network.publicSubnets : network.isolatedSubnets,
      idleTimeout: props.idleTimeout,
      dropInvalidHeaderFields: true,
      deletionProtection: props.deletionProtection,
    });
    this.connections = this.resource.connections;
    this.resource.logAccessLogs(logBucket(this, 'AccessLogs', { removalPolicy: props.removalPolicy }));
  }

  /** @param id of the listener, without `Public` or `Private` in front */
  listen(id: string, props: Omit<elbv2.BaseApplicationListenerProps, 'open'> & { open: boolean }) {
    return this.resource.addListener(`${this.kind}${id}`, props);
  }

  /** Chooses the listener that routes are added to. */
  serveOn(listener: elbv2.ApplicationListener): void {
    this.listener = listener;
  }

  /**
   * Requests that the load balancer itself answered with a status of 500 or more, because it found no task, or its
   * connection to one broke. There is data only while there are such.
   */
  metricServerErrors(props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.resource.metrics.httpCodeElb(elbv2.HttpCodeElb.ELB_5XX_COUNT, props);
  }

  /** Open connections of clients, WebSockets among them. */
  metricConnections(props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.resource.metrics.activeConnectionCount(props);
  }

  /** Capacity units, by which AWS charges. */
  metricCapacityUnits(props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.resource.metrics.consumedLCUs(props);
  }

  /** Sends requests to a service. Call `serveOn` first. */
  route(target: elbv2.IApplicationLoadBalancerTarget, route: RouteProps): elbv2.ApplicationTargetGroup {
    if (!this.listener) throw new Error('`serveOn` must come before `route`, got: no listener');
    const group = this.createTargetGroup(target, route);
    this.groups.push(group);
    this.listener.addTargetGroups(route.name, {
      targetGroups: [group],
      ...(isRule(route) && {
        conditions: conditionsOf(route),
        priority: route.priority ?? priorityStep * this.groups.length,
      }),
    });
    return group;
  }

  private createTargetGroup(target: elbv2.IApplicationLoadBalancerTarget, route: RouteProps) {
    return new elbv2.ApplicationTargetGroup(this, `${this.kind}${route.name}Targets`, {
      vpc: this.props.network.vpc,
      targets: [target],
      targetType: route.targetType ?? elbv2.TargetType.IP,
      port: route.port,
      protocol: elbv2.ApplicationProtocol.HTTP,
      protocolVersion: elbv2.ApplicationProtocolVersion.HTTP1,
      // New connections go to the target with the fewest open requests, so that a new task fills up first.
      loadBalancingAlgorithmType: elbv2.TargetGroupLoadBalancingAlgorithmType.LEAST_OUTSTANDING_REQUESTS,
      ...(route.sticky !== false && { stickinessCookieDuration: Duration.days(1) }),
      deregistrationDelay: route.deregistrationDelay ?? this.props.drainTime.plus(marginAfterDrain),
      healthCheck: {
        path: route.readyPath,
        healthyHttpCodes: route.healthyCodes ?? '200',
        interval: route.unhealthyAfter?.every ?? Duration.seconds(10),
        timeout: Duration.seconds(5),
        healthyThresholdCount: 2,
        unhealthyThresholdCount: route.unhealthyAfter?.checks ?? 3,
      },
    });
  }
}

const isRule = ({ paths, hosts }: RouteProps) => paths !== undefined || hosts !== undefined;

function conditionsOf({ paths, hosts }: RouteProps): elbv2.ListenerCondition[] {
  return [
    ...(hosts ? [elbv2.ListenerCondition.hostHeaders([...hosts])] : []),
    ...(paths ? [elbv2.ListenerCondition.pathPatterns([...paths])] : []),
  ];
}

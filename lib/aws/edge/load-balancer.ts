import { Duration, type RemovalPolicy, Validations } from 'aws-cdk-lib';
import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Construct } from 'constructs';
import type { Place } from '../network/place.ts';
import { logBucket } from './log-bucket.ts';

export interface LoadBalancerProps {
  readonly place: Place;

  /** Time after which a silent connection is closed; above the heartbeat of the clients. */
  readonly idleTimeout: Duration;

  /** Time over which a service that leaves sends its clients elsewhere. */
  readonly drainTime: Duration;

  /** Refuses to be deleted until it is turned off. */
  readonly deletionProtection: boolean;

  /** What becomes of the access log when the stack goes. */
  readonly removalPolicy: RemovalPolicy;

  /**
   * How long the access log is kept. It holds join tokens, which are in URLs and live ten minutes.
   * @default Duration.days(30)
   */
  readonly accessLogRetention?: Duration;
}

export interface RouteProps {
  /** Name of the target group; `Default` takes what no other route does. */
  readonly name: string;

  /**
   * Paths that go to this target, such as `/rtc*`.
   * @default - every path that no other route takes
   */
  readonly paths?: readonly string[];

  /** Port that the target listens on. */
  readonly port: number;

  /** Path that answers while the target takes new clients. */
  readonly readyPath: string;

  /**
   * Answers that count as healthy.
   * @default '200'
   */
  readonly healthyCodes?: string;

  /**
   * Instances, for host networking, or the addresses of tasks.
   * @default TargetType.IP
   */
  readonly targetType?: elbv2.TargetType;

  /**
   * Time that a target keeps its open connections after it was taken out. LiveKit takes new rooms meanwhile: 30 s.
   * @default - the service's staggered drain and 30 s
   */
  readonly deregistrationDelay?: Duration;

  /**
   * One client's requests go to the same target, for the sake of HTTP long-polling.
   * @default true
   */
  readonly sticky?: boolean;

  /**
   * When a target counts as unhealthy, and is replaced: after so many checks, with so much time between.
   * @default - 3 checks, every 10 seconds
   */
  readonly unhealthyAfter?: { readonly checks: number; readonly every: Duration };
}

/** ECS takes a target out, the balancer cuts what is open at the end of this, and only then comes SIGTERM. */
const afterDrain = Duration.seconds(30);

/** Priorities leave room to put a rule between two. */
const priorityStep = 10;

/**
 * A load balancer, public or internal, that is sticky for the sake of HTTP long-polling.
 *
 * The ids of what it consists of say which of the two it is: the other one is another resource and never an update
 * of this one, which CloudFormation could not do.
 */
export class LoadBalancer extends Construct implements ec2.IConnectable {
  readonly connections: ec2.Connections;
  readonly resource: elbv2.ApplicationLoadBalancer;
  private readonly props: LoadBalancerProps;
  private readonly kind: 'Public' | 'Private';
  private readonly groups: elbv2.ApplicationTargetGroup[] = [];
  private listener: elbv2.ApplicationListener | undefined;

  constructor(scope: Construct, id: string, kind: 'Public' | 'Private', props: LoadBalancerProps) {
    super(scope, id);
    this.kind = kind;
    this.props = props;
    const { place } = props;
    this.resource = new elbv2.ApplicationLoadBalancer(this, `${kind}LoadBalancer`, {
      vpc: place.vpc,
      internetFacing: kind === 'Public',
      vpcSubnets: kind === 'Public' ? place.publicSubnets : place.isolatedSubnets,
      idleTimeout: props.idleTimeout,
      dropInvalidHeaderFields: true,
      deletionProtection: props.deletionProtection,
    });
    this.connections = this.resource.connections;
    this.resource.logAccessLogs(
      logBucket(this, 'AccessLogs', {
        retention: props.accessLogRetention,
        removalPolicy: props.removalPolicy,
      }),
    );
  }

  /** @param id without `Public` or `Private`, which comes before it */
  listen(id: string, props: Omit<elbv2.BaseApplicationListenerProps, 'open'> & { open: boolean }) {
    return this.resource.addListener(`${this.kind}${id}`, props);
  }

  /** The listener that routes belong to. */
  serveOn(listener: elbv2.ApplicationListener): void {
    this.listener = listener;
  }

  /** Sends to a service what arrives on its paths. */
  route(target: elbv2.IApplicationLoadBalancerTarget, route: RouteProps): elbv2.ApplicationTargetGroup {
    if (!this.listener) throw new Error('`serveOn` must come before `route`, got: no listener');
    const group = this.createTargets(target, route);
    this.groups.push(group);
    this.listener.addTargetGroups(route.name, {
      targetGroups: [group],
      ...(route.paths && {
        conditions: [elbv2.ListenerCondition.pathPatterns([...route.paths])],
        priority: priorityStep * this.groups.length,
      }),
    });
    return group;
  }

  /** Connections that clients open, new ones a period. */
  metricNewConnections(props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.resource.metrics.newConnectionCount(props);
  }

  private createTargets(target: elbv2.IApplicationLoadBalancerTarget, route: RouteProps) {
    return new elbv2.ApplicationTargetGroup(this, `${this.kind}${route.name}Targets`, {
      vpc: this.props.place.vpc,
      targets: [target],
      targetType: route.targetType ?? elbv2.TargetType.IP,
      port: route.port,
      protocol: elbv2.ApplicationProtocol.HTTP,
      protocolVersion: elbv2.ApplicationProtocolVersion.HTTP1,
      // New sockets go where the fewest requests are open: a fresh task fills up, old ones don't pile up.
      loadBalancingAlgorithmType: elbv2.TargetGroupLoadBalancingAlgorithmType.LEAST_OUTSTANDING_REQUESTS,
      // Only polling needs it: all requests of one of its sessions must reach the same task.
      ...(route.sticky !== false && { stickinessCookieDuration: Duration.days(1) }),
      deregistrationDelay: route.deregistrationDelay ?? this.props.drainTime.plus(afterDrain),
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

/** A public address is meant; what stands behind it admits the load balancer alone. */
export function acknowledgeOpenPorts(balancer: elbv2.ApplicationLoadBalancer): void {
  Validations.of(balancer).acknowledge({
    id: 'AwsSolutions::AwsSolutions-EC23',
    reason: 'The load balancer is the public address of the deployment; what is behind it admits it alone.',
  });
}

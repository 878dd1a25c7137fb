import { Annotations, Duration, type RemovalPolicy } from 'aws-cdk-lib';
import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import type * as ecs from 'aws-cdk-lib/aws-ecs';
import * as logs from 'aws-cdk-lib/aws-logs';
import type * as sns from 'aws-cdk-lib/aws-sns';
import { Construct, type IDependable } from 'constructs';
import { callDrainFault } from '../../../livekit/config/call-drain.ts';
import { liveKitPaths, liveKitPorts, turnPorts } from '../../../livekit/config/ports.ts';
import { liveKitAcl } from '../../../livekit/config/redis-acl.ts';
import { type SidecarMetric, watchedService } from '../../../livekit/sidecar/names.ts';
import type { CpuArchitecture } from '../ecs/image.ts';
import {
  logBytes,
  type ScalingTargets,
  scaleService,
  scales,
  serviceOptions,
  type TaskCount,
  unmetDemand,
} from '../ecs/service-options.ts';
import { sidecarMetric } from '../ecs/task-protection.ts';
import { type Edge, internalPort, routeFrom } from '../edge/edge.ts';
import type { TurnBalancer } from '../edge/turn-balancer.ts';
import type { NetworkPlacement } from '../network/network-placement.ts';
import type { Redis } from '../redis/redis.ts';
import type { LiveKitCapacity } from './capacity.ts';
import { Ec2Capacity } from './ec2-capacity.ts';
import { FargateCapacity } from './fargate-capacity.ts';
import { defineNodeTask, type NodeTaskProps, nodeContainerName } from './node-task.ts';

/** `minTasks` and `maxTasks` count nodes: each node is a task. */
export interface LiveKitProps extends NodeTaskProps, TaskCount {
  readonly network: NetworkPlacement;

  /** EC2 hosts of one node each, or Fargate tasks. */
  readonly capacity:
    | { readonly kind: 'ec2'; readonly instanceType: string; readonly terminationProtection: boolean }
    | {
        readonly kind: 'fargate';
        readonly cpuArchitecture: CpuArchitecture;
        readonly cpu: number;
        readonly memoryMiB: number;
      };

  /** Topic to which a group of EC2 hosts reports hosts that start and end. */
  readonly notifications: sns.ITopic;

  /** The Redis through which nodes find each other's rooms. Undefined: there is one node. */
  readonly redis: Redis | undefined;

  /**
   * The service that gives tokens and hears of calls. It is replaced before the nodes, which accept the next version of
   * the API key but can't sign with it; and if its own deployment fails, no call has been touched.
   */
  readonly startAfter: IDependable;

  /**
   * Time from SIGTERM to SIGKILL, for the calls of a node that was not protected. A capacity that allows less
   * shortens it.
   */
  readonly stopTimeout: Duration;

  readonly logRetention: logs.RetentionDays;

  /** What happens to the log when the stack is deleted. */
  readonly removalPolicy: RemovalPolicy;
}

/** Average CPU of all nodes, in percent. LiveKit itself sends no new room to a node above 90. */
const scalingTargets: ScalingTargets = { cpuPercent: 60, scaleOutCooldown: Duration.minutes(2) };

/** LiveKit's nodes. Browsers exchange media with them directly; a sidecar protects each node while it has calls. */
export class LiveKit extends Construct implements TaskCount {
  readonly service: ecs.BaseService;

  /** Nodes at least. */
  readonly minTasks: number;

  /** Nodes at most. */
  readonly maxTasks: number;

  /** Time from SIGTERM to SIGKILL of a node. */
  readonly stopTimeout: Duration;

  /** Nodes find each other through Redis. */
  readonly isConnected: boolean;

  private readonly props: LiveKitProps;
  private readonly capacity: LiveKitCapacity;
  private readonly logGroup: logs.LogGroup;

  constructor(scope: Construct, id: string, props: LiveKitProps) {
    super(scope, id);
    this.props = props;
    this.minTasks = props.minTasks;
    this.maxTasks = props.maxTasks;
    this.isConnected = props.redis !== undefined;
    this.capacity = this.createCapacity();
    this.stopTimeout = shorter(props.stopTimeout, this.capacity.maxStopTimeout);
    this.validate();
    this.logGroup = new logs.LogGroup(this, 'Logs', {
      retention: props.logRetention,
      removalPolicy: props.removalPolicy,
      encryptionKey: props.encryptionKey,
    });
    const redis = props.redis?.accessFor('livekit', liveKitAcl());
    const { capacity, stopTimeout, logGroup } = this;
    const task = defineNodeTask(this, props, { capacity, redis, stopTimeout, logGroup });
    this.service = this.createService(task);
    if (props.redis) this.service.node.addDependency(props.redis);
    this.service.node.addDependency(props.startAfter);
    // The execution role reads the secrets for the containers; the nodes themselves call no AWS API for them.
    redis?.grantConnect({
      connections: this.capacity.connections,
      grantPrincipal: task.obtainExecutionRole(),
    });
    if (scales(props)) scaleService(this.service, props, scalingTargets);
    if (props.maxTasks === 1) this.warnAboutSingleNode();
    this.routeSignalling(props.edge);
    if (props.turn) this.routeTurn(props.turn);
  }

  /** A metric that the nodes' sidecars write into the log. @param name as in livekit/sidecar/names.ts */
  metric(name: SidecarMetric, props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return sidecarMetric({ deployment: this.props.deployment, service: watchedService.node }, name, props);
  }

  /** CPU of the tasks, in percent. */
  metricCpu(props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.service.metricCpuUtilization(props);
  }

  /** Bytes of the log, which CloudWatch charges for. */
  metricLogBytes(props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return logBytes(this.logGroup, props);
  }

  /** 1 while there are all nodes that there may be and more are needed. Undefined if they do not scale. */
  metricUnmetDemand(): cloudwatch.IMetric | undefined {
    return unmetDemand(this.service, this, scalingTargets, (options) => this.metric('RunningTasks', options));
  }

  private createCapacity(): LiveKitCapacity {
    const { capacity, cluster, network, turn, minTasks, maxTasks, notifications } = this.props;
    const ports = { network, turn: turn !== undefined };
    return capacity.kind === 'ec2'
      ? new Ec2Capacity(this, 'Hosts', { ...capacity, ...ports, cluster, minTasks, maxTasks, notifications })
      : new FargateCapacity(this, 'Fargate', { ...capacity, ...ports });
  }

  private validate(): void {
    const { redis, minTasks, maxTasks, maxCallDrain } = this.props;
    if (!redis && maxTasks > 1)
      throw new Error(
        `\`maxTasks\` must be 1 without \`redis\`, got: ${maxTasks}; nodes find each other's rooms through it`,
      );
    if (maxTasks < minTasks)
      throw new Error(`\`maxTasks\` must be \`minTasks\` (${minTasks}) or more, got: ${maxTasks}`);
    const fault = callDrainFault({
      maxCallDrainMinutes: maxCallDrain.toMinutes(),
      stopTimeoutMinutes: this.stopTimeout.toMinutes({ integral: false }),
    });
    if (fault) throw new Error(fault);
  }

  private createService(taskDefinition: ecs.TaskDefinition): ecs.BaseService {
    return this.capacity.createService(this, 'Service', {
      ...serviceOptions(this.props),
      cluster: this.props.cluster,
      taskDefinition,
      healthCheckGracePeriod: Duration.seconds(120),
    });
  }

  private routeSignalling(edge: Edge): void {
    const port = liveKitPorts.signalling;
    this.allowFrom(edge, port, 'LiveKit signalling');
    if (edge.internalBalancer) {
      this.allowFrom(edge.internalBalancer, port, 'LiveKit signalling');
      // Nodes report to the service what happens in rooms.
      edge.internalBalancer.connections.allowFrom(
        this.capacity.connections,
        ec2.Port.tcp(internalPort),
        'LiveKit’s webhooks',
      );
    }
    routeFrom(
      edge,
      this.service.loadBalancerTarget({ containerName: nodeContainerName, containerPort: port }),
      {
        name: 'LiveKit',
        paths: liveKitPaths,
        port,
        targetType: this.capacity.targetType,
        readyPath: '/',
        // Every node responds with 406 while Redis is unavailable, and still has its calls.
        healthyCodes: '200,406',
        unhealthyAfter: { checks: 10, every: Duration.seconds(30) },
        // A node gets new rooms during this delay.
        deregistrationDelay: Duration.seconds(30),
        // Any node relays signalling to the node that has the room.
        sticky: false,
      },
    );
  }

  private routeTurn(turn: TurnBalancer): void {
    const port = turnPorts.tls;
    this.allowFrom(turn, port, 'TURN, plain behind its load balancer');
    turn.route(this.service.loadBalancerTarget({ containerName: nodeContainerName, containerPort: port }), {
      targetType: this.capacity.targetType,
      port,
    });
  }

  /** The CDK adds no ingress rule for targets that are instances. */
  private allowFrom(balancer: ec2.IConnectable, port: number, description: string): void {
    this.capacity.connections.allowFrom(balancer, ec2.Port.tcp(port), description);
  }

  private warnAboutSingleNode(): void {
    Annotations.of(this).addWarningV2(
      'realtime-stack:single-livekit-node',
      'There is one LiveKit node: if it fails, its calls wait minutes for another. Set `liveKitNodes` to 2 or more.',
    );
  }
}

function shorter(one: Duration, other: Duration | undefined): Duration {
  return other && other.toSeconds() < one.toSeconds() ? other : one;
}

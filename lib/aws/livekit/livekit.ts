import { Annotations, Duration, type RemovalPolicy } from 'aws-cdk-lib';
import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as logs from 'aws-cdk-lib/aws-logs';
import type * as sns from 'aws-cdk-lib/aws-sns';
import { Construct, type IDependable } from 'constructs';
import { paths } from '../../../app/names.ts';
import { callDrainFault } from '../../../livekit/config/call-drain.ts';
import { nodeEntrypoint, nodeHealthCheck } from '../../../livekit/config/container.ts';
import { liveKitEnvironment } from '../../../livekit/config/environment.ts';
import { liveKitPaths, liveKitPorts, turnPorts } from '../../../livekit/config/ports.ts';
import { liveKitAcl } from '../../../livekit/config/redis-acl.ts';
import { renderLiveKit } from '../../../livekit/config/render.ts';
import type { LiveKitSettings } from '../../../livekit/config/settings.ts';
import { type SidecarMetric, sidecarEnvironment, watchedService } from '../../../livekit/sidecar/names.ts';
import { type CpuArchitecture, containerImage } from '../ecs/image.ts';
import { logBytes } from '../ecs/log-bytes.ts';
import {
  acknowledgeTaskDefinition,
  decryptAtStart,
  type ScalingTargets,
  scaleService,
  scales,
  serviceOptions,
  type TaskCount,
  unmetDemand,
} from '../ecs/service-options.ts';
import { addTaskProtection, sidecarMetric } from '../ecs/task-protection.ts';
import { addressWithin, type Edge, internalPort, routeFrom } from '../edge/edge.ts';
import type { TurnBalancer } from '../edge/turn-balancer.ts';
import type { NetworkPlacement } from '../network/network-placement.ts';
import type { Redis, RedisAccess } from '../redis/redis.ts';
import type { LiveKitCapacity } from './capacity.ts';
import { Ec2Capacity } from './ec2-capacity.ts';
import { FargateCapacity } from './fargate-capacity.ts';
import type { LiveKitKey } from './livekit-key.ts';

/** `minTasks` and `maxTasks` count nodes: each node is a task. */
export interface LiveKitProps extends TaskCount {
  readonly cluster: ecs.Cluster;
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

  /**
   * An image of livekit-server.
   * @default - LiveKit's own (livekit/server/Dockerfile)
   */
  readonly imageUri?: string;

  /**
   * An image of the sidecar.
   * @default - built from livekit/sidecar/Dockerfile
   */
  readonly sidecarImageUri?: string;

  /**
   * Limits and timeouts of rooms, and more receivers of LiveKit's events beside the service.
   * @default - LiveKit's defaults, and no other receiver
   */
  readonly settings?: RoomSettings;

  readonly apiKey: LiveKitKey;

  /** The Redis through which nodes find each other's rooms. Undefined: there is one node. */
  readonly redis: Redis | undefined;

  /** The address of the deployment. It sends LiveKit's paths to the nodes. */
  readonly edge: Edge;

  /**
   * The service that gives tokens and hears of calls. It is replaced before the nodes, which accept the next version of
   * the API key but can't sign with it; and if its own deployment fails, no call has been touched.
   */
  readonly startAfter: IDependable;

  /**
   * The load balancer that terminates TLS for TURN.
   * @default - the nodes relay no media
   */
  readonly turn?: TurnBalancer;

  /** Value of the metric dimension `Deployment`. */
  readonly deployment: string;

  /** How long a superseded node may keep its calls; at most 150 minutes together with `stopTimeout`. */
  readonly maxCallDrain: Duration;

  /**
   * Time from SIGTERM to SIGKILL, for the calls of a node that was not protected. A capacity that allows less
   * shortens it.
   */
  readonly stopTimeout: Duration;

  readonly logRetention: logs.RetentionDays;

  /** What happens to the log when the stack is deleted. */
  readonly removalPolicy: RemovalPolicy;

  /**
   * The customer's KMS key with which the log and the stack’s secrets are encrypted.
   * @default - AWS’s own key
   */
  readonly encryptionKey?: kms.IKey;
}

/** Settings of LiveKit that the owner may choose. */
export interface RoomSettings
  extends NonNullable<LiveKitSettings['room']>,
    NonNullable<LiveKitSettings['limits']> {
  /** More URLs to which LiveKit posts events of rooms. */
  readonly webhookUrls?: readonly string[];
}

/** Average CPU of all nodes, in percent. LiveKit itself sends no new room to a node above 90. */
const scalingTargets: ScalingTargets = { cpuPercent: 60, scaleOutCooldown: Duration.minutes(2) };

const containerName = 'livekit';

/** The variables that bring each version of the API key's secret into the container. */
const secretVariables = {
  previous: 'LIVEKIT_API_SECRET_PREVIOUS',
  current: 'LIVEKIT_API_SECRET',
  next: 'LIVEKIT_API_SECRET_NEXT',
} as const;
const keyVersions = ['previous', 'current', 'next'] as const;

/** LiveKit reads its keys from one variable of YAML, a line for each, so the command builds it from the secrets. */
function exportKeys(key: LiveKitKey): string {
  const lines = keyVersions.map((version) => `${key[version].name}: $${secretVariables[version]}`);
  return [
    `export ${liveKitEnvironment.keys}="${lines.join('\n')}"`,
    `unset ${Object.values(secretVariables).join(' ')}`,
  ].join('\n');
}

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
    const task = this.defineTask(redis);
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

  private defineTask(redis: RedisAccess | undefined): ecs.TaskDefinition {
    const { props, capacity } = this;
    const task = capacity.defineTask(this, 'Task');
    const shared = {
      environment: { [liveKitEnvironment.config]: this.renderConfig(redis) },
      secrets: redisPassword(redis),
    };
    const node = task.addContainer(containerName, {
      ...shared,
      image: containerImage(this, 'liveKitServer', capacity.cpuArchitecture, props.imageUri),
      entryPoint: ['sh', '-c'],
      command: [`${exportKeys(props.apiKey)}\n${nodeEntrypoint()}`],
      user: '1000',
      readonlyRootFilesystem: true,
      ...capacity.nodeSize,
      portMappings: this.tcpPorts().map((port) => ({ containerPort: port, hostPort: port })),
      secrets: {
        ...shared.secrets,
        ...Object.fromEntries(
          keyVersions.map((version) => [secretVariables[version], props.apiKey[version].apiSecret]),
        ),
      },
      healthCheck: {
        command: nodeHealthCheck(liveKitPorts.signalling),
        interval: Duration.seconds(10),
        timeout: Duration.seconds(5),
        retries: 5,
        // The node starts only when it knows its public address.
        startPeriod: Duration.seconds(120),
      },
      stopTimeout: this.stopTimeout,
      logging: this.logging(containerName),
    });
    node.addUlimits({ name: ecs.UlimitName.NOFILE, softLimit: 65_535, hardLimit: 65_535 });
    addTaskProtection(task, node, {
      cluster: props.cluster,
      cpuArchitecture: capacity.cpuArchitecture,
      sidecarImageUri: props.sidecarImageUri,
      logging: this.logging('sidecar'),
      deployment: props.deployment,
      maxCallDrain: props.maxCallDrain,
      environment: { ...shared.environment, [sidecarEnvironment.publicAddress]: capacity.addressSource },
      secrets: shared.secrets,
    });
    decryptAtStart(task, props.encryptionKey?.keyArn);
    acknowledgeTaskDefinition(task);
    return task;
  }

  private tcpPorts(): number[] {
    const { signalling, mediaTcp } = liveKitPorts;
    return [signalling, mediaTcp, ...(this.props.turn ? [turnPorts.tls] : [])];
  }

  private renderConfig(redis: RedisAccess | undefined): string {
    const { edge, apiKey, turn, settings: { webhookUrls = [], ...rooms } = {} } = this.props;
    return renderLiveKit({
      address: { kind: 'environment' },
      ...(redis && {
        redis: {
          endpoints: [redis.endpoint],
          tls: redis.tls,
          ...(redis.username !== undefined && { username: redis.username }),
        },
      }),
      webhook: {
        urls: [`${addressWithin(edge).url}${paths.livekitWebhook}`, ...webhookUrls],
        apiKey: apiKey.current.name,
      },
      room: rooms,
      limits: rooms,
      ...(turn && { turn: { domain: turn.domainName } }),
    });
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
    routeFrom(edge, this.service.loadBalancerTarget({ containerName, containerPort: port }), {
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
    });
  }

  private routeTurn(turn: TurnBalancer): void {
    const port = turnPorts.tls;
    this.allowFrom(turn, port, 'TURN, plain behind its load balancer');
    turn.route(this.service.loadBalancerTarget({ containerName, containerPort: port }), {
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

  private logging(streamPrefix: string): ecs.LogDriver {
    return ecs.LogDrivers.awsLogs({ streamPrefix, logGroup: this.logGroup });
  }
}

function redisPassword(access: RedisAccess | undefined): Record<string, ecs.Secret> {
  if (!access?.secret) return {};
  return {
    [liveKitEnvironment.redisPassword]: ecs.Secret.fromSecretsManager(access.secret, access.passwordField),
  };
}

function shorter(one: Duration, other: Duration | undefined): Duration {
  return other && other.toSeconds() < one.toSeconds() ? other : one;
}

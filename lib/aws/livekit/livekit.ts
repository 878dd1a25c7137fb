import { Duration, type RemovalPolicy } from 'aws-cdk-lib';
import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { callDrainFault } from '../../../livekit/config/call-drain.ts';
import { nodeEntrypoint } from '../../../livekit/config/entrypoint.ts';
import { liveKitEnvironment } from '../../../livekit/config/environment.ts';
import { nodeHealthCheck } from '../../../livekit/config/image.ts';
import { liveKitPorts, turnPorts } from '../../../livekit/config/ports.ts';
import type { RedisFacts } from '../../../livekit/config/redis.ts';
import { renderLiveKit } from '../../../livekit/config/render.ts';
import { type SidecarMetric, sidecarEnvironment, watchedService } from '../../../livekit/sidecar/names.ts';
import type { RedisAccess } from '../backplane/redis-access.ts';
import { acknowledgeTask, addCallKeeper, keeperMetric, mountKeeperFolder } from '../calls/call-keeper.ts';
import type { LiveKitKey } from '../calls/livekit-key.ts';
import type { LiveKitCapacity } from './capacity.ts';

export interface LiveKitProps {
  readonly cluster: ecs.ICluster;
  readonly capacity: LiveKitCapacity;

  /** livekit-server. */
  readonly image: ecs.ContainerImage;

  readonly sidecarImage: ecs.ContainerImage;
  readonly apiKey: LiveKitKey;

  /**
   * Through which nodes find each other's rooms, with a user of LiveKit's own.
   * @default - none, for one node
   */
  readonly redis?: { readonly access: RedisAccess; readonly facts: Omit<RedisFacts, 'password'> };

  /** Nodes at least. */
  readonly minNodes: number;

  /** Nodes at most; above `minNodes` they scale on CPU. */
  readonly maxNodes: number;

  /** Where the service hears of rooms. */
  readonly webhookUrl: string;

  /**
   * Name that clients ask for TURN over TLS, which ends at the load balancer in front of `turnTarget()`.
   * @default - the nodes relay nothing
   */
  readonly turnDomain?: string;

  /** Value of the dimension `Deployment`. */
  readonly deployment: string;

  /** Time for which a superseded node may keep its calls; 150 minutes at most with `stopTimeout`. */
  readonly maxCallDrain: Duration;

  /** Time from SIGTERM to SIGKILL, for calls of a node that was not protected; less where the capacity allows less. */
  readonly stopTimeout: Duration;

  readonly logRetention: logs.RetentionDays;

  /** What becomes of the log when the stack goes. */
  readonly removalPolicy: RemovalPolicy;
}

/** In percent, over all nodes. LiveKit itself sends no room to a node above 90. */
const cpuTarget = 60;

/** LiveKit takes its key and its secret as one variable of YAML. */
const apiVariables = { apiKey: 'LIVEKIT_API_KEY', apiSecret: 'LIVEKIT_API_SECRET' } as const;
const tellKeys = [
  `export ${liveKitEnvironment.keys}="$${apiVariables.apiKey}: $${apiVariables.apiSecret}"`,
  `unset ${apiVariables.apiKey} ${apiVariables.apiSecret}`,
].join('\n');

const containerName = 'livekit';

/** LiveKit: nodes whose media browsers reach directly, each kept alive by its sidecar while it has calls. */
export class LiveKit extends Construct {
  readonly service: ecs.BaseService;
  readonly logGroup: logs.LogGroup;

  /** Nodes at least. */
  readonly minTasks: number;

  /** Time from SIGTERM to SIGKILL of a node. */
  readonly stopTimeout: Duration;

  private readonly props: LiveKitProps;

  constructor(scope: Construct, id: string, props: LiveKitProps) {
    super(scope, id);
    this.props = props;
    this.minTasks = props.minNodes;
    this.stopTimeout = stopTimeoutOf(props);
    refuse(props);
    this.logGroup = new logs.LogGroup(this, 'Logs', {
      retention: props.logRetention,
      removalPolicy: props.removalPolicy,
    });
    const task = this.defineTask();
    this.service = this.createService(task);
    // The execution role reads what the containers get; the nodes themselves ask nobody.
    props.redis?.access.grantConnect({
      connections: props.capacity.connections,
      grantPrincipal: task.obtainExecutionRole(),
    });
    if (props.maxNodes > props.minNodes) this.scale();
  }

  /** What a load balancer sends signalling to. */
  target(): ecs.IEcsLoadBalancerTarget {
    return this.service.loadBalancerTarget({ containerName, containerPort: liveKitPorts.signalling });
  }

  /** What a load balancer sends TURN to, whose TLS it has ended. */
  turnTarget(): ecs.IEcsLoadBalancerTarget {
    return this.service.loadBalancerTarget({ containerName, containerPort: turnPorts.tls });
  }

  /** Lets a load balancer reach the nodes: the CDK makes no rule for targets that are instances. */
  allowSignallingFrom(balancer: ec2.IConnectable): void {
    this.allowFrom(balancer, liveKitPorts.signalling, 'LiveKit signalling');
  }

  /** The same for TURN. */
  allowTurnFrom(balancer: ec2.IConnectable): void {
    this.allowFrom(balancer, turnPorts.tls, 'TURN, plain behind its load balancer');
  }

  /** A metric that the nodes' sidecars write into the log. @param name as in livekit/sidecar/names.ts */
  metric(name: SidecarMetric, props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return keeperMetric({ ...this.props, service: watchedService.node }, name, props);
  }

  private allowFrom(balancer: ec2.IConnectable, port: number, what: string): void {
    this.props.capacity.connections.allowFrom(balancer, ec2.Port.tcp(port), what);
  }

  private defineTask(): ecs.TaskDefinition {
    const { props } = this;
    const { capacity } = props;
    const task = capacity.defineTask(this, 'Task');
    const shared = {
      environment: { [liveKitEnvironment.config]: this.config() },
      secrets: redisPassword(props.redis?.access),
    };
    const node = task.addContainer(containerName, {
      ...shared,
      image: props.image,
      entryPoint: ['sh', '-c'],
      command: [`${tellKeys}\n${nodeEntrypoint()}`],
      user: '1000',
      readonlyRootFilesystem: true,
      ...capacity.nodeSize,
      portMappings: this.tcpPorts().map((port) => ({ containerPort: port, hostPort: port })),
      secrets: { ...shared.secrets, ...props.apiKey.variables(apiVariables) },
      healthCheck: {
        command: nodeHealthCheck(liveKitPorts.signalling),
        interval: Duration.seconds(10),
        timeout: Duration.seconds(5),
        retries: 5,
        // It waits for its address.
        startPeriod: Duration.seconds(120),
      },
      stopTimeout: this.stopTimeout,
      logging: this.logging(containerName),
    });
    node.addUlimits({ name: ecs.UlimitName.NOFILE, softLimit: 65_535, hardLimit: 65_535 });
    const keeper = addCallKeeper(task, {
      ...props,
      environment: { ...shared.environment, [sidecarEnvironment.publicAddress]: capacity.addressSource },
      secrets: shared.secrets,
      image: props.sidecarImage,
      logging: this.logging('sidecar'),
    });
    mountKeeperFolder(node, keeper);
    acknowledgeTask(task);
    return task;
  }

  private tcpPorts(): number[] {
    const { signalling, mediaTcp } = liveKitPorts;
    return [signalling, mediaTcp, ...(this.props.turnDomain === undefined ? [] : [turnPorts.tls])];
  }

  private config(): string {
    const { redis, webhookUrl, apiKey, turnDomain } = this.props;
    return renderLiveKit({
      address: { kind: 'environment' },
      ...(redis && { redis: redis.facts }),
      webhook: { urls: [webhookUrl], apiKey: apiKey.keyName },
      ...(turnDomain !== undefined && { turn: { domain: turnDomain } }),
    });
  }

  private createService(taskDefinition: ecs.TaskDefinition): ecs.BaseService {
    const { cluster, capacity, minNodes, maxNodes } = this.props;
    return capacity.createService(this, 'Service', {
      cluster,
      taskDefinition,
      // Where nodes scale, a count here would shrink the fleet at each deployment.
      ...(maxNodes > minNodes ? {} : { desiredCount: minNodes }),
      // Old and new side by side.
      minHealthyPercent: 100,
      maxHealthyPercent: 200,
      // It counts tasks that fail to start; old ones that are still in calls don't trip it.
      circuitBreaker: { enable: true, rollback: true },
      // Rebalancing moves healthy nodes, and with each its calls.
      availabilityZoneRebalancing: ecs.AvailabilityZoneRebalancing.DISABLED,
      healthCheckGracePeriod: Duration.seconds(120),
      enableECSManagedTags: true,
      propagateTags: ecs.PropagatedTagSource.SERVICE,
    });
  }

  private scale(): void {
    const { minNodes, maxNodes } = this.props;
    this.service
      .autoScaleTaskCount({ minCapacity: minNodes, maxCapacity: maxNodes })
      .scaleOnCpuUtilization('Cpu', {
        targetUtilizationPercent: cpuTarget,
        scaleOutCooldown: Duration.minutes(2),
        scaleInCooldown: Duration.minutes(15),
      });
  }

  private logging(streamPrefix: string): ecs.LogDriver {
    return ecs.LogDrivers.awsLogs({ streamPrefix, logGroup: this.logGroup });
  }
}

function redisPassword(access: RedisAccess | undefined): Record<string, ecs.Secret> {
  if (!access?.secret) return {};
  return { [liveKitEnvironment.redisPassword]: ecs.Secret.fromSecretsManager(access.secret, 'password') };
}

function stopTimeoutOf({ stopTimeout, capacity: { longestStop } }: LiveKitProps): Duration {
  return longestStop && longestStop.toSeconds() < stopTimeout.toSeconds() ? longestStop : stopTimeout;
}

function refuse(props: LiveKitProps): void {
  const { redis, minNodes, maxNodes, maxCallDrain } = props;
  if (!redis && maxNodes > 1)
    throw new Error(
      `\`maxNodes\` must be 1 without \`redis\`, got: ${maxNodes}; nodes find each other's rooms through it`,
    );
  if (maxNodes < minNodes)
    throw new Error(`\`maxNodes\` must be \`minNodes\` (${minNodes}) or more, got: ${maxNodes}`);
  const fault = callDrainFault({
    maxCallDrainMinutes: maxCallDrain.toMinutes(),
    stopTimeoutMinutes: stopTimeoutOf(props).toMinutes({ integral: false }),
  });
  if (fault) throw new Error(fault);
}

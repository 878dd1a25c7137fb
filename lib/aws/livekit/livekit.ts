import { Duration, type RemovalPolicy } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import type * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { metricDimensions, metricNamespace } from '../../../app/metric-names.ts';
import { callDrainFault } from '../../../livekit/config/call-drain.ts';
import { nodeEntrypoint } from '../../../livekit/config/entrypoint.ts';
import { liveKitEnvironment } from '../../../livekit/config/environment.ts';
import { nodeHealthCheck } from '../../../livekit/config/image.ts';
import { liveKitPorts } from '../../../livekit/config/ports.ts';
import type { RedisFacts } from '../../../livekit/config/redis.ts';
import { renderLiveKit } from '../../../livekit/config/render.ts';
import { type SidecarMetric, sidecarEnvironment, watchedService } from '../../../livekit/sidecar/names.ts';
import type { RedisAccess } from '../backplane/redis-access.ts';
import { acknowledgeTask, addCallKeeper, mountKeeperFolder } from '../calls/call-keeper.ts';
import type { LiveKitKey } from '../calls/livekit-key.ts';
import { vCpusOf } from './host-size.ts';
import type { LiveKitCapacity } from './livekit-capacity.ts';

export interface LiveKitProps {
  readonly cluster: ecs.ICluster;
  readonly capacity: LiveKitCapacity;

  /** EC2 instance type of the capacity's hosts, of which a node takes all but a little. */
  readonly instanceType: string;

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

  /** Value of the dimension `Deployment`. */
  readonly deployment: string;

  /** Time for which a superseded node may keep its calls; 150 minutes at most with `stopTimeout`. */
  readonly maxCallDrain: Duration;

  /** Time from SIGTERM to SIGKILL, for calls of a node that was not protected. */
  readonly stopTimeout: Duration;

  readonly logRetention: logs.RetentionDays;

  /** What becomes of the log when the stack goes. */
  readonly removalPolicy: RemovalPolicy;
}

/** In percent, over all nodes. LiveKit itself sends no room to a node above 90. */
const cpuTarget = 60;

/** Left to the host, its agent and the sidecar, in units of 1/1024 vCPU. */
const hostCpu = 256;

/** LiveKit takes its key and its secret as one variable of YAML. */
const apiVariables = { apiKey: 'LIVEKIT_API_KEY', apiSecret: 'LIVEKIT_API_SECRET' } as const;
const tellKeys = [
  `export ${liveKitEnvironment.keys}="$${apiVariables.apiKey}: $${apiVariables.apiSecret}"`,
  `unset ${apiVariables.apiKey} ${apiVariables.apiSecret}`,
].join('\n');

/** LiveKit: one node a host, on the host's own network, kept alive by its sidecar while it has calls. */
export class LiveKit extends Construct {
  readonly service: ecs.Ec2Service;
  readonly logGroup: logs.LogGroup;
  private readonly props: LiveKitProps;

  constructor(scope: Construct, id: string, props: LiveKitProps) {
    super(scope, id);
    this.props = props;
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
  target(): elbv2.IApplicationLoadBalancerTarget {
    return this.service.loadBalancerTarget({
      containerName: 'livekit',
      containerPort: liveKitPorts.signalling,
    });
  }

  /** A metric that the nodes' sidecars write into the log. @param name as in livekit/sidecar/names.ts */
  metric(name: SidecarMetric, props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return new cloudwatch.Metric({
      namespace: metricNamespace,
      metricName: name,
      dimensionsMap: {
        [metricDimensions.deployment]: this.props.deployment,
        [metricDimensions.service]: watchedService.node,
      },
      ...props,
    });
  }

  private defineTask(): ecs.Ec2TaskDefinition {
    const { props } = this;
    const task = new ecs.Ec2TaskDefinition(this, 'Task', { networkMode: ecs.NetworkMode.HOST });
    const shared = {
      environment: { [liveKitEnvironment.config]: this.config() },
      secrets: redisPassword(props.redis?.access),
    };
    const node = task.addContainer('livekit', {
      ...shared,
      image: props.image,
      entryPoint: ['sh', '-c'],
      command: [`${tellKeys}\n${nodeEntrypoint()}`],
      user: '1000',
      readonlyRootFilesystem: true,
      cpu: 1024 * vCpusOf(props.instanceType) - hostCpu,
      memoryReservationMiB: 1024,
      portMappings: [
        { containerPort: liveKitPorts.signalling, hostPort: liveKitPorts.signalling },
        { containerPort: liveKitPorts.mediaTcp, hostPort: liveKitPorts.mediaTcp },
      ],
      secrets: { ...shared.secrets, ...props.apiKey.variables(apiVariables) },
      healthCheck: {
        command: nodeHealthCheck(liveKitPorts.signalling),
        interval: Duration.seconds(10),
        timeout: Duration.seconds(5),
        retries: 5,
        // It waits for its address.
        startPeriod: Duration.seconds(120),
      },
      stopTimeout: props.stopTimeout,
      logging: this.logging('livekit'),
    });
    node.addUlimits({ name: ecs.UlimitName.NOFILE, softLimit: 65_535, hardLimit: 65_535 });
    const keeper = addCallKeeper(task, {
      ...props,
      environment: { ...shared.environment, [sidecarEnvironment.publicAddress]: 'imds' },
      secrets: shared.secrets,
      image: props.sidecarImage,
      logging: this.logging('sidecar'),
    });
    mountKeeperFolder(node, keeper);
    acknowledgeTask(task);
    return task;
  }

  private config(): string {
    const { redis, webhookUrl, apiKey } = this.props;
    return renderLiveKit({
      address: { kind: 'environment' },
      ...(redis && { redis: redis.facts }),
      webhook: { urls: [webhookUrl], apiKey: apiKey.keyName },
    });
  }

  private createService(taskDefinition: ecs.Ec2TaskDefinition): ecs.Ec2Service {
    const { cluster, capacity, minNodes, maxNodes } = this.props;
    const service = new ecs.Ec2Service(this, 'Service', {
      cluster,
      taskDefinition,
      // Where nodes scale, a count here would shrink the fleet at each deployment.
      ...(maxNodes > minNodes ? {} : { desiredCount: minNodes }),
      capacityProviderStrategies: [
        { capacityProvider: capacity.capacityProvider.capacityProviderName, weight: 1 },
      ],
      placementConstraints: [ecs.PlacementConstraint.distinctInstances()],
      placementStrategies: [ecs.PlacementStrategy.spreadAcross(ecs.BuiltInAttributes.AVAILABILITY_ZONE)],
      // Old and new side by side, on twice the hosts.
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
    service.node.addDependency(capacity.ready);
    return service;
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

function refuse({ redis, minNodes, maxNodes, maxCallDrain, stopTimeout }: LiveKitProps): void {
  if (!redis && maxNodes > 1)
    throw new Error(
      `\`maxNodes\` must be 1 without \`redis\`, got: ${maxNodes}; nodes find each other's rooms through it`,
    );
  if (maxNodes < minNodes)
    throw new Error(`\`maxNodes\` must be \`minNodes\` (${minNodes}) or more, got: ${maxNodes}`);
  const fault = callDrainFault({
    maxCallDrainMinutes: maxCallDrain.toMinutes(),
    stopTimeoutMinutes: stopTimeout.toMinutes({ integral: false }),
  });
  if (fault) throw new Error(fault);
}

import { Annotations, Duration, type RemovalPolicy, Validations } from 'aws-cdk-lib';
import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import type * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import type * as iam from 'aws-cdk-lib/aws-iam';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { RedisAccess } from '../backplane/redis-access.ts';
import { type CpuArchitecture, runtimePlatform } from '../cluster/image.ts';
import type { Place } from '../network/place.ts';

export interface RealtimeServiceProps {
  readonly cluster: ecs.ICluster;
  readonly place: Place;
  readonly image: ecs.ContainerImage;

  /**
   * Name of the container, in ECS and in log streams.
   * @default 'app'
   */
  readonly containerName?: string;

  readonly cpuArchitecture: CpuArchitecture;

  /** CPU of a task in units of 1/1024 vCPU. */
  readonly cpu: number;

  /** Memory of a task in MiB. */
  readonly memoryMiB: number;

  /** Port that the container listens on. */
  readonly port: number;

  /** Tasks at least. */
  readonly minTasks: number;

  /**
   * Tasks at most; above `minTasks` the service scales.
   * @default - `minTasks`
   */
  readonly maxTasks?: number;

  /**
   * What instances join through, or undefined for one task, which serves alone. The container gets `REDIS_URL` and
   * `ConnectionStrings__Redis` of it, as secrets, unless `environment` names the address in its own way.
   */
  readonly redis: RedisAccess | undefined;

  /**
   * The container reads address and password itself, in place of `REDIS_URL` and `ConnectionStrings__Redis`.
   * @default false
   */
  readonly readsRedisItself?: boolean;

  /** Variables that are no secrets. */
  readonly environment?: Readonly<Record<string, string>>;

  /** Variables that come from Secrets Manager when a task starts. */
  readonly secrets?: Readonly<Record<string, ecs.Secret>>;

  /**
   * User in the container, by number. Any image can run without root, if its files are readable.
   * @default '1000'
   */
  readonly user?: string;

  /**
   * The container can't write its file system.
   * @default true
   */
  readonly readonlyRootFilesystem?: boolean;

  /**
   * A shell in tasks by ECS Exec, whose agent writes: the root file system is not read-only then.
   * @default false
   */
  readonly ecsExec?: boolean;

  /**
   * Time from SIGTERM to SIGKILL; Fargate allows 120 s at most.
   * @default Duration.seconds(120)
   */
  readonly stopTimeout?: Duration;

  readonly logRetention: logs.RetentionDays;

  /** What becomes of the log when the stack goes. */
  readonly removalPolicy: RemovalPolicy;
}

/**
 * A realtime container on Fargate, ours or any other: reached through a load balancer alone, joined by Redis,
 * deployed without losing capacity.
 */
export class RealtimeService
  extends Construct
  implements ec2.IConnectable, iam.IGrantable, elbv2.IApplicationLoadBalancerTarget
{
  readonly connections: ec2.Connections;
  readonly grantPrincipal: iam.IPrincipal;
  readonly service: ecs.FargateService;
  readonly logGroup: logs.LogGroup;

  constructor(scope: Construct, id: string, props: RealtimeServiceProps) {
    super(scope, id);
    const most = Math.max(props.minTasks, props.maxTasks ?? 0);
    if (!props.redis && most > 1)
      throw new Error(
        `\`minTasks\` and \`maxTasks\` must be 1 without \`redis\`, got: ${most}; instances that share nothing lose each other's rooms`,
      );
    this.logGroup = new logs.LogGroup(this, 'Logs', {
      retention: props.logRetention,
      removalPolicy: props.removalPolicy,
    });
    const taskDefinition = this.defineTask(props);
    this.service = this.createService(props, taskDefinition, most > props.minTasks);
    this.connections = this.service.connections;
    this.grantPrincipal = taskDefinition.taskRole;
    props.redis?.grantConnect(this);
  }

  attachToApplicationTargetGroup(group: elbv2.IApplicationTargetGroup): elbv2.LoadBalancerTargetProps {
    return this.service.attachToApplicationTargetGroup(group);
  }

  /** @returns the share of CPU in use, over all tasks, in percent */
  metricCpu(props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.service.metricCpuUtilization(props);
  }

  private defineTask(props: RealtimeServiceProps) {
    const task = new ecs.FargateTaskDefinition(this, 'Task', {
      cpu: props.cpu,
      memoryLimitMiB: props.memoryMiB,
      runtimePlatform: runtimePlatform(props.cpuArchitecture),
    });
    const name = props.containerName ?? 'app';
    task.addContainer(name, {
      image: props.image,
      user: props.user ?? '1000',
      readonlyRootFilesystem: !props.ecsExec && (props.readonlyRootFilesystem ?? true),
      portMappings: [{ containerPort: props.port }],
      environment: { ...props.environment },
      secrets: { ...props.secrets, ...redisSecrets(props) },
      stopTimeout: props.stopTimeout ?? Duration.seconds(120),
      logging: ecs.LogDrivers.awsLogs({ streamPrefix: name, logGroup: this.logGroup }),
    });
    Validations.of(task).acknowledge({
      id: 'AwsSolutions::AwsSolutions-ECS2',
      reason:
        'The variables are ports, names and timeouts; secrets come from Secrets Manager, the address of Redis from SSM.',
    });
    // On the execution role alone: the service's own role has no `*` to excuse.
    Validations.of(task.obtainExecutionRole()).acknowledge({
      id: 'AwsSolutions::AwsSolutions-IAM5[Resource::*]',
      reason: 'ecr:GetAuthorizationToken knows no resources; the pull itself is granted on one repository.',
    });
    return task;
  }

  private createService(
    props: RealtimeServiceProps,
    taskDefinition: ecs.FargateTaskDefinition,
    scales: boolean,
  ) {
    const alone = !props.redis;
    if (alone)
      Annotations.of(this).addWarningV2(
        'realtime-stack:single-instance',
        'The service runs alone, without a backplane: each deployment interrupts it. Set `backplane` to elasticache for several instances.',
      );
    const service = new ecs.FargateService(this, 'Service', {
      cluster: props.cluster,
      taskDefinition,
      // Where the service scales, a count here would shrink the fleet at each deployment.
      ...(scales ? {} : { desiredCount: props.minTasks }),
      vpcSubnets: props.place.taskSubnets,
      securityGroups: [this.createSecurityGroup(props)],
      assignPublicIp: props.place.tasksHavePublicAddresses,
      // Alone, two tasks at once would be two systems: the old one leaves before the new one comes.
      minHealthyPercent: alone ? 0 : 100,
      maxHealthyPercent: alone ? 100 : 200,
      circuitBreaker: { enable: true, rollback: true },
      // Rebalancing moves healthy tasks, and with each its sockets.
      availabilityZoneRebalancing: ecs.AvailabilityZoneRebalancing.DISABLED,
      healthCheckGracePeriod: Duration.seconds(60),
      enableExecuteCommand: props.ecsExec ?? false,
      enableECSManagedTags: true,
      propagateTags: ecs.PropagatedTagSource.SERVICE,
    });
    if (props.ecsExec)
      Validations.of(taskDefinition.taskRole).acknowledge({
        id: 'AwsSolutions::AwsSolutions-IAM5[Resource::*]',
        reason: '`ecsExec`: the ssmmessages actions of a session know no resources.',
      });
    return service;
  }

  private createSecurityGroup({ place, containerName = 'app' }: RealtimeServiceProps) {
    const group = new ec2.SecurityGroup(this, 'SecurityGroup', {
      vpc: place.vpc,
      description: `Tasks of ${containerName}: in from the load balancer, out to AWS and Redis`,
      allowAllOutbound: false,
    });
    group.addEgressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(443), 'AWS APIs over HTTPS');
    return group;
  }
}

function redisSecrets({ redis, readsRedisItself }: RealtimeServiceProps): Record<string, ecs.Secret> {
  if (!redis || readsRedisItself) return {};
  const settings = redis.settings();
  return {
    REDIS_URL: ecs.Secret.fromSecretsManager(settings, 'url'),
    ConnectionStrings__Redis: ecs.Secret.fromSecretsManager(settings, 'connectionString'),
  };
}

import { Annotations, Duration, type RemovalPolicy, Validations } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import type * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import type * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { physicalName } from '../account/physical-name.ts';
import { type NetworkPlacement, routesOf } from '../network/network-placement.ts';
import type { RedisAccess } from '../redis/redis.ts';
import { type CpuArchitecture, runtimePlatform } from './image.ts';
import {
  acknowledgeTaskDefinition,
  decryptAtStart,
  maxFamilyLength,
  serviceOptions,
  type TaskCount,
} from './service-options.ts';

export interface ContainerServiceProps extends TaskCount {
  /**
   * Name of the container in ECS, in log streams and in the description of the security group. It tells services of one
   * stack apart.
   * @default 'app'
   */
  readonly containerName?: string;

  readonly cluster: ecs.ICluster;
  readonly network: NetworkPlacement;
  readonly image: ecs.ContainerImage;
  readonly cpuArchitecture: CpuArchitecture;

  /** CPU of a task in units of 1/1024 vCPU. */
  readonly cpu: number;

  /** Memory of a task in MiB. */
  readonly memoryMiB: number;

  /** Port that the container listens on. */
  readonly port: number;

  /**
   * The Redis that connects the instances. Undefined: one task, which serves alone. The container gets `REDIS_URL` and
   * `ConnectionStrings__Redis` as secrets, unless `readsRedisItself`.
   */
  readonly redis: RedisAccess | undefined;

  /**
   * The container reads address and password itself, from SSM and Secrets Manager.
   * @default false
   */
  readonly readsRedisItself?: boolean;

  /**
   * A deployment stops all tasks before it starts new ones.
   * @default false
   */
  readonly recreateTasks?: boolean;

  /**
   * Environment variables that are no secrets.
   * @default - none
   */
  readonly environment?: Readonly<Record<string, string>>;

  /**
   * Environment variables that ECS reads from Secrets Manager when a task starts.
   * @default - none
   */
  readonly secrets?: Readonly<Record<string, ecs.Secret>>;

  /**
   * ARN of the customer's KMS key that encrypts those of `secrets` that the stack does not create.
   * @default - AWS's own key
   */
  readonly secretsKmsKeyArn?: string;

  /**
   * Allows a shell in tasks through ECS Exec. Its agent writes files, so the root file system is not read-only then.
   * @default false
   */
  readonly ecsExec?: boolean;

  readonly logRetention: logs.RetentionDays;

  /** What happens to the log when the stack is deleted. */
  readonly removalPolicy: RemovalPolicy;

  /**
   * The customer's KMS key with which the log and the secrets are encrypted.
   * @default - AWS’s own key
   */
  readonly encryptionKey?: kms.IKey;
}

const defaultName = 'app';

/** The longest time between SIGTERM and SIGKILL that Fargate allows. */
const stopTimeout = Duration.seconds(120);

/**
 * A container on Fargate, this repository's or any other: a load balancer is the only way in, Redis connects the
 * instances, and a deployment keeps the capacity.
 */
export class ContainerService
  extends Construct
  implements ec2.IConnectable, iam.IGrantable, elbv2.IApplicationLoadBalancerTarget
{
  readonly connections: ec2.Connections;
  readonly grantPrincipal: iam.IPrincipal;
  readonly service: ecs.FargateService;
  readonly taskDefinition: ecs.FargateTaskDefinition;
  readonly logGroup: logs.LogGroup;

  constructor(scope: Construct, id: string, props: ContainerServiceProps) {
    super(scope, id);
    if (!props.redis) this.assertOneTask(props);
    this.logGroup = new logs.LogGroup(this, 'Logs', {
      retention: props.logRetention,
      removalPolicy: props.removalPolicy,
      encryptionKey: props.encryptionKey,
    });
    this.taskDefinition = this.defineTask(props);
    this.service = this.createService(props);
    this.connections = this.service.connections;
    this.grantPrincipal = this.taskDefinition.taskRole;
    props.redis?.grantConnect(this);
  }

  attachToApplicationTargetGroup(group: elbv2.IApplicationTargetGroup): elbv2.LoadBalancerTargetProps {
    return this.service.attachToApplicationTargetGroup(group);
  }

  private assertOneTask({ minTasks, maxTasks }: TaskCount): void {
    const most = Math.max(minTasks, maxTasks);
    if (most > 1)
      throw new Error(
        `\`minTasks\` and \`maxTasks\` must be 1 without \`redis\`, got: ${most}; instances that share nothing lose each other's rooms`,
      );
    Annotations.of(this).addWarningV2(
      'realtime-stack:single-instance',
      'The service runs alone, without a backplane: each deployment interrupts it. Set `backplane` to elasticache for several instances.',
    );
  }

  private defineTask(props: ContainerServiceProps): ecs.FargateTaskDefinition {
    const task = new ecs.FargateTaskDefinition(this, 'Task', {
      family: physicalName(this, maxFamilyLength),
      cpu: props.cpu,
      memoryLimitMiB: props.memoryMiB,
      runtimePlatform: runtimePlatform(props.cpuArchitecture),
    });
    const { containerName = defaultName } = props;
    task.addContainer(containerName, {
      image: props.image,
      // Any image can run as this user if its files are readable.
      user: '1000',
      readonlyRootFilesystem: !props.ecsExec,
      portMappings: [{ containerPort: props.port }],
      environment: { ...props.environment },
      secrets: { ...props.secrets, ...redisSecrets(props) },
      stopTimeout,
      logging: ecs.LogDrivers.awsLogs({ streamPrefix: containerName, logGroup: this.logGroup }),
    });
    decryptAtStart(task, props.encryptionKey?.keyArn);
    decryptAtStart(task, props.secretsKmsKeyArn);
    acknowledgeTaskDefinition(task);
    return task;
  }

  private createService(props: ContainerServiceProps): ecs.FargateService {
    const service = new ecs.FargateService(this, 'Service', {
      ...serviceOptions(props),
      cluster: props.cluster,
      taskDefinition: this.taskDefinition,
      vpcSubnets: props.network.taskSubnets,
      securityGroups: [this.createSecurityGroup(props)],
      assignPublicIp: props.network.tasksHavePublicAddresses,
      // Without Redis, two tasks at once would be two separate systems: the old task stops before the new one starts.
      ...((!props.redis || props.recreateTasks) && { minHealthyPercent: 0, maxHealthyPercent: 100 }),
      healthCheckGracePeriod: Duration.seconds(60),
      enableExecuteCommand: props.ecsExec ?? false,
    });
    service.node.addDependency(routesOf(props.network, props.network.taskSubnets));
    if (props.ecsExec)
      Validations.of(this.taskDefinition.taskRole).acknowledge({
        id: 'AwsSolutions::AwsSolutions-IAM5[Resource::*]',
        reason: '`ecsExec`: the ssmmessages actions of a session know no resources.',
      });
    return service;
  }

  private createSecurityGroup({ network, containerName = defaultName }: ContainerServiceProps) {
    const group = new ec2.SecurityGroup(this, 'SecurityGroup', {
      vpc: network.vpc,
      description: `Tasks of ${containerName}: in from the load balancer, out to AWS and Redis`,
      allowAllOutbound: false,
    });
    group.addEgressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(443), 'AWS APIs over HTTPS');
    return group;
  }
}

function redisSecrets({ redis, readsRedisItself }: ContainerServiceProps): Record<string, ecs.Secret> {
  if (!redis || readsRedisItself) return {};
  const settings = redis.settings();
  return {
    REDIS_URL: ecs.Secret.fromSecretsManager(settings, 'url'),
    ConnectionStrings__Redis: ecs.Secret.fromSecretsManager(settings, 'connectionString'),
  };
}

import { Annotations, Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import type * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import type * as iam from 'aws-cdk-lib/aws-iam';
import * as logs from 'aws-cdk-lib/aws-logs';
import type * as ssm from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { defaultPort, environmentNames } from '../../app/names.ts';
import type { CpuArchitecture } from './app-image.ts';

export interface AppProps {
  readonly cluster: ecs.ICluster;
  readonly image: ecs.ContainerImage;
  readonly cpuArchitecture: CpuArchitecture;

  /** CPU of a task in units of 1/1024 vCPU. */
  readonly cpu: number;

  /** Memory of a task in MiB. */
  readonly memoryMiB: number;

  /** Tasks that run at once. */
  readonly desiredCount: number;

  /** Prefix of the service's keys and channels in the cache. */
  readonly deployment: string;

  /** The load balancer's idle timeout, which the service's keep-alive outlasts. */
  readonly idleTimeout: Duration;

  /**
   * Parameter that holds the Redis setting.
   * @default - none: one task, which serves alone
   */
  readonly redisUrlParameter?: ssm.IStringParameter;

  /**
   * Time from SIGTERM to SIGKILL, in which the service drains; Fargate allows 120 s at most.
   * @default Duration.seconds(120)
   */
  readonly stopTimeout?: Duration;

  /**
   * How long the service's log is kept.
   * @default RetentionDays.ONE_MONTH
   */
  readonly logRetention?: logs.RetentionDays;
}

/** The user `node` of the Node image, by number so that any image runs without root. */
const nodeUser = '1000';

/** The Socket.IO service: Fargate tasks in the private subnets, reached through a load balancer alone. */
export class App
  extends Construct
  implements ec2.IConnectable, iam.IGrantable, elbv2.IApplicationLoadBalancerTarget
{
  readonly connections: ec2.Connections;
  readonly grantPrincipal: iam.IPrincipal;
  readonly service: ecs.FargateService;

  constructor(scope: Construct, id: string, props: AppProps) {
    super(scope, id);
    if (!props.redisUrlParameter && props.desiredCount > 1)
      throw new Error(
        `\`desiredCount\` must be 1 without \`redisUrlParameter\`, got: ${props.desiredCount}; instances that share nothing lose each other's rooms`,
      );
    const taskDefinition = this.defineTask(props);
    this.service = this.createService(props, taskDefinition);
    this.connections = this.service.connections;
    this.grantPrincipal = taskDefinition.taskRole;
  }

  attachToApplicationTargetGroup(group: elbv2.IApplicationTargetGroup): elbv2.LoadBalancerTargetProps {
    return this.service.attachToApplicationTargetGroup(group);
  }

  private defineTask(props: AppProps) {
    const task = new ecs.FargateTaskDefinition(this, 'Task', {
      cpu: props.cpu,
      memoryLimitMiB: props.memoryMiB,
      runtimePlatform: {
        operatingSystemFamily: ecs.OperatingSystemFamily.LINUX,
        cpuArchitecture:
          props.cpuArchitecture === 'arm64' ? ecs.CpuArchitecture.ARM64 : ecs.CpuArchitecture.X86_64,
      },
    });
    task.addContainer('app', {
      image: props.image,
      user: nodeUser,
      readonlyRootFilesystem: true,
      portMappings: [{ containerPort: defaultPort }],
      environment: environmentOf(props),
      stopTimeout: props.stopTimeout ?? Duration.seconds(120),
      logging: ecs.LogDrivers.awsLogs({ streamPrefix: 'app', logGroup: this.createLogGroup(props) }),
    });
    Validations.of(task).acknowledge({
      id: 'AwsSolutions::AwsSolutions-ECS2',
      reason:
        'The variables are ports, names and timeouts; none is a secret, and the address of the cache is read from SSM.',
    });
    // On the execution role alone: the service's own role has no `*` to excuse.
    Validations.of(task.obtainExecutionRole()).acknowledge({
      id: 'AwsSolutions::AwsSolutions-IAM5[Resource::*]',
      reason: 'ecr:GetAuthorizationToken knows no resources; the pull itself is granted on one repository.',
    });
    return task;
  }

  private createLogGroup(props: AppProps) {
    return new logs.LogGroup(this, 'Logs', {
      retention: props.logRetention ?? logs.RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
  }

  private createService(props: AppProps, taskDefinition: ecs.FargateTaskDefinition) {
    const alone = !props.redisUrlParameter;
    if (alone)
      Annotations.of(this).addWarningV2(
        'realtime-stack:single-instance',
        'The service runs alone, without a backplane: each deployment interrupts it. Set `backplane` to elasticache for several instances.',
      );
    return new ecs.FargateService(this, 'Service', {
      cluster: props.cluster,
      taskDefinition,
      desiredCount: props.desiredCount,
      vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS },
      securityGroups: [this.createSecurityGroup(props.cluster.vpc)],
      assignPublicIp: false,
      // Alone, two tasks at once would be two systems: the old one leaves before the new one comes.
      minHealthyPercent: alone ? 0 : 100,
      maxHealthyPercent: alone ? 100 : 200,
      circuitBreaker: { enable: true, rollback: true },
      // Rebalancing moves healthy tasks, and with each its sockets.
      availabilityZoneRebalancing: ecs.AvailabilityZoneRebalancing.DISABLED,
      healthCheckGracePeriod: Duration.seconds(60),
      enableECSManagedTags: true,
      propagateTags: ecs.PropagatedTagSource.SERVICE,
    });
  }

  private createSecurityGroup(vpc: ec2.IVpc) {
    const group = new ec2.SecurityGroup(this, 'SecurityGroup', {
      vpc,
      description: 'Socket.IO service: in from the load balancer, out to AWS and the cache',
      allowAllOutbound: false,
    });
    group.addEgressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(443), 'AWS APIs over HTTPS');
    return group;
  }
}

function environmentOf(props: AppProps): Record<string, string> {
  return {
    [environmentNames.port]: String(defaultPort),
    [environmentNames.host]: '0.0.0.0',
    [environmentNames.deployment]: props.deployment,
    [environmentNames.idleTimeoutSeconds]: String(props.idleTimeout.toSeconds()),
    ...(props.redisUrlParameter
      ? { [environmentNames.redisUrlParameter]: props.redisUrlParameter.parameterName }
      : { [environmentNames.redisUrl]: 'none' }),
  };
}

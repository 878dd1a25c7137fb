import { Annotations, Duration, Stack, Validations } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import { type ApplicationTargetGroup, HttpCodeTarget } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { Construct, type IDependable } from 'constructs';
import {
  demotedReason,
  metricDimensions,
  metricNamespace,
  metricService,
  type ServiceMetric,
} from '../../../app/metric-names.ts';
import { defaultPort, environmentNames as names, paths } from '../../../app/names.ts';
import { bridgesAcl, serviceAcl } from '../../../app/server/redis/acl.ts';
import { ContainerService, type ContainerServiceProps } from '../ecs/container-service.ts';
import { containerImage } from '../ecs/image.ts';
import {
  logBytes,
  type ScalingTargets,
  scaleService,
  scales,
  type TaskCount,
  unmetDemand,
} from '../ecs/service-options.ts';
import { grantOwnCluster } from '../ecs/task-protection.ts';
import { type Edge, internalPort, routeFrom } from '../edge/edge.ts';
import type { Redis } from '../redis/redis.ts';
import { invokeModel } from './bedrock-model.ts';
import { channelsOf } from './bridges.ts';
import { environmentOf, relayPort, type ServiceVariables } from './environment.ts';

export interface RealtimeServiceProps
  extends ServiceVariables,
    Omit<
      ContainerServiceProps,
      | 'containerName'
      | 'image'
      | 'port'
      | 'environment'
      | 'secrets'
      | 'secretsKmsKeyArn'
      | 'redis'
      | 'readsRedisItself'
    > {
  /**
   * An image to run in place of this repository's.
   * @default - built from app/Dockerfile
   */
  readonly imageUri?: string;

  /** The Redis that connects the instances. Undefined: one task, which serves alone. */
  readonly redis: Redis | undefined;

  /**
   * The service runs alone, and its user in `redis` stays, so that it can come back.
   * @default false
   */
  readonly bypassesRedis?: boolean;

  /**
   * A deployment stops all tasks before it starts new ones, and no alarm rolls it back: clients are away for so long, and
   * are told what they missed.
   * @default false
   */
  readonly recreateTasks?: boolean;

  /** Average number of connections of a task at which the service scales. */
  readonly connectionsPerTask: number;

  /**
   * LiveKit's API key: the version with which the service signs tokens for calls, and the one before, with which nodes
   * that are still running sign what they report.
   * @default - there are no calls
   */
  readonly liveKit?: { readonly current: LiveKitCredentials; readonly previous: LiveKitCredentials };
}

/** A version of LiveKit's API key and its secret. */
export interface LiveKitCredentials {
  readonly apiKey: ecs.Secret;
  readonly apiSecret: ecs.Secret;
}

/** In percent. If one task of three is lost while the others run above this, they have no CPU left for the reconnects. */
const cpuTarget = 60;

/** This repository's service (app/) behind the edge, with its secrets, its permissions and its scaling. */
export class RealtimeService extends Construct implements TaskCount {
  readonly container: ContainerService;

  /** Signs and verifies the tokens of users. */
  readonly authSecret: secretsmanager.Secret;

  /** Token with which backends call the HTTP API. */
  readonly serviceToken: secretsmanager.Secret;

  /** Tasks at least. */
  readonly minTasks: number;

  /** Tasks at most. */
  readonly maxTasks: number;

  /** Its instances find each other through Redis. */
  readonly isConnected: boolean;

  /** Its tasks run once this exists. */
  get running(): IDependable {
    return this.container.service;
  }

  private readonly deployment: string;
  private readonly recreatesTasks: boolean;
  private readonly scalingTargets: ScalingTargets;
  private readonly targets: ApplicationTargetGroup;

  constructor(scope: Construct, id: string, props: RealtimeServiceProps) {
    super(scope, id);
    this.deployment = props.deployment;
    this.recreatesTasks = props.recreateTasks ?? false;
    this.minTasks = props.minTasks;
    this.maxTasks = props.maxTasks;
    this.scalingTargets = this.scalingTargetsOf(props);
    this.authSecret = this.generateSecret('AuthSecret', 'Key of users’ tokens (HS256)', props);
    this.serviceToken = this.generateSecret('ServiceToken', 'Token of backends and operators', props);
    this.container = this.createContainer(props);
    this.targets = routeFrom(props.edge, this.container, {
      name: 'Default',
      port: defaultPort,
      readyPath: paths.ready,
    });
    this.isConnected = isConnected(props);
    if (this.isConnected) {
      this.countDemotedPrimaries();
      this.container.connections.allowInternally(
        ec2.Port.tcp(relayPort),
        'Requests of sessions that other tasks hold',
      );
    }
    if (props.guests) this.warnAboutGuests();
  }

  /** A metric that the instances write into their logs. @param name as in app/metric-names.ts */
  metric(name: ServiceMetric, props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return new cloudwatch.Metric({
      namespace: metricNamespace,
      metricName: name,
      dimensionsMap: {
        [metricDimensions.deployment]: this.deployment,
        [metricDimensions.service]: metricService,
      },
      ...props,
    });
  }

  /** Tasks that pass the load balancer's health check. */
  metricHealthyTasks(props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.targets.metrics.healthyHostCount(props);
  }

  /** Tasks that fail the load balancer's health check. */
  metricUnhealthyTasks(props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.targets.metrics.unhealthyHostCount(props);
  }

  /** Requests that tasks answered with a status of 500 or more. There is data only while there are such. */
  metricServerErrors(props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.targets.metrics.httpCodeTarget(HttpCodeTarget.TARGET_5XX_COUNT, props);
  }

  /** Requests that the load balancer sent to tasks. A WebSocket is one. */
  metricRequests(props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.targets.metrics.requestCount(props);
  }

  /** Seconds until a task begins to answer a request. A long poll takes up to 25 s by design. */
  metricResponseTime(props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.targets.metrics.targetResponseTime(props);
  }

  /** CPU of the tasks, in percent. */
  metricCpu(props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.container.service.metricCpuUtilization(props);
  }

  /** Bytes of the log, which CloudWatch charges for. */
  metricLogBytes(props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return logBytes(this.container.logGroup, props);
  }

  /** 1 while the service has all tasks that it may have and needs more. Undefined if it does not scale. */
  metricUnmetDemand(): cloudwatch.IMetric | undefined {
    return unmetDemand(this.container.service, this, this.scalingTargets, (options) =>
      this.metricHealthyTasks(options),
    );
  }

  /**
   * A deployment during which one of these alarms fires is rolled back. CloudFormation creates them before the service, so
   * none may read a metric whose dimensions name it (ECS Developer Guide, "How CloudWatch alarms detect Amazon ECS
   * deployment failures").
   */
  rollBackOn(alarms: readonly cloudwatch.IAlarm[]): void {
    const service = this.container.service.node.defaultChild as ecs.CfnService;
    // `enableDeploymentAlarms` would print at each synthesis that there may be a cycle. The tests look for cycles.
    service.addPropertyOverride('DeploymentConfiguration.Alarms', {
      AlarmNames: alarms.map(({ alarmName }) => alarmName),
      Enable: !this.recreatesTasks,
      Rollback: !this.recreatesTasks,
    });
  }

  /** How often instances found a replica behind the primary's name. There is data only if the service has Redis. */
  metricDemotedPrimary(props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return new cloudwatch.Metric({ ...this.demotedPrimary, ...props });
  }

  private createContainer(props: RealtimeServiceProps): ContainerService {
    const access = props.redis?.accessFor('app', serviceAcl(props.deployment));
    const redis = isConnected(props) ? access : undefined;
    // A user of their own, which sees the channels of other programs and no key.
    const channels = props.bridges && channelsOf(props.bridges);
    const bridgesAccess = channels && props.redis?.accessFor('bridges', bridgesAcl(channels));
    const bridges = isConnected(props) ? bridgesAccess : undefined;
    const container = new ContainerService(this, 'Container', {
      ...props,
      image: containerImage(this, 'app', props.cpuArchitecture, props.imageUri),
      port: defaultPort,
      redis,
      readsRedisItself: true,
      environment: environmentOf({ ...props, hasCalls: props.liveKit !== undefined }, redis, bridges),
      secrets: {
        [names.authSecret]: ecs.Secret.fromSecretsManager(this.authSecret),
        [names.serviceToken]: ecs.Secret.fromSecretsManager(this.serviceToken),
        ...(props.liveKit && {
          [names.liveKitApiKey]: props.liveKit.current.apiKey,
          [names.liveKitApiSecret]: props.liveKit.current.apiSecret,
          [names.liveKitPreviousApiKey]: props.liveKit.previous.apiKey,
          [names.liveKitPreviousApiSecret]: props.liveKit.previous.apiSecret,
        }),
      },
    });
    bridges?.grantConnect(container);
    if (props.redis && redis) container.service.node.addDependency(props.redis);
    // A task asks ECS for its own state: it drains while the load balancer still waits, before SIGTERM.
    grantOwnCluster(container.taskDefinition, { cluster: props.cluster, onTasks: ['ecs:DescribeTasks'] });
    if (props.liveKit) allowApiCalls(container, props.edge);
    if (props.model) container.grantPrincipal.addToPrincipalPolicy(invokeModel(this, props.model));
    if (scales(props)) scaleService(container.service, props, this.scalingTargets);
    return container;
  }

  private scalingTargetsOf({ connectionsPerTask }: RealtimeServiceProps): ScalingTargets {
    return {
      cpuPercent: cpuTarget,
      load: {
        id: 'Connections',
        metric: this.metric('Connections', { statistic: 'Average', period: Duration.minutes(1) }),
        perTask: connectionsPerTask,
      },
    };
  }

  /** Read from the log: the service knows of a demotion at once, ElastiCache reports it minutes later. */
  private countDemotedPrimaries(): void {
    const { namespace, metricName } = this.demotedPrimary;
    new logs.MetricFilter(this, 'DemotedPrimary', {
      logGroup: this.container.logGroup,
      filterPattern: logs.FilterPattern.stringValue('$.reason', '=', demotedReason),
      metricNamespace: namespace,
      metricName,
      metricValue: '1',
    });
  }

  /** A metric filter takes dimensions only from fields of the line. This line has none, so the namespace names the stack. */
  private get demotedPrimary() {
    return { namespace: `${metricNamespace}/${Stack.of(this).stackName}`, metricName: 'DemotedPrimary' };
  }

  private generateSecret(id: string, description: string, props: RealtimeServiceProps) {
    const secret = new secretsmanager.Secret(this, id, {
      description,
      removalPolicy: props.removalPolicy,
      encryptionKey: props.encryptionKey,
      // During a rotation the secret holds two values with a comma between them, so a value must not contain one.
      generateSecretString: { passwordLength: 64, excludePunctuation: true },
    });
    Validations.of(secret).acknowledge({
      id: 'AwsSolutions::AwsSolutions-SMG4',
      reason:
        'Tasks read it at start and accept two values while one replaces the other: RUNBOOK, "Rotate a secret".',
    });
    return secret;
  }

  private warnAboutGuests(): void {
    Annotations.of(this).addWarningV2(
      'realtime-stack:guests',
      'Guests are let in: whoever finds the address gets a token and may write. Set `guests` to false where users have tokens of their own.',
    );
  }
}

const isConnected = ({ redis, bypassesRedis = false }: RealtimeServiceProps) =>
  redis !== undefined && !bypassesRedis;

/** The service asks LiveKit's API through the internal load balancer. */
function allowApiCalls(service: ContainerService, { internalBalancer }: Edge): void {
  if (internalBalancer)
    service.connections.allowTo(internalBalancer, ec2.Port.tcp(internalPort), 'service to LiveKit’s API');
}

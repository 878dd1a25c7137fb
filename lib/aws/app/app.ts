import { Annotations, Duration, type RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import {
  metricDimensions,
  metricNamespace,
  metricService,
  type ServiceMetric,
} from '../../../app/metric-names.ts';
import { defaultPort, environmentNames } from '../../../app/names.ts';
import type { LiveKitKey } from '../calls/livekit-key.ts';
import { wildcardOf } from '../cluster/wildcard.ts';
import { invokeModel, type Model } from './model.ts';
import { RealtimeService, type RealtimeServiceProps } from './realtime-service.ts';
import { scaleService } from './service-scaling.ts';

export interface AppProps
  extends Omit<
    RealtimeServiceProps,
    'port' | 'environment' | 'secrets' | 'readsRedisItself' | 'user' | 'containerName'
  > {
  /** Prefix of the service's keys and channels in Redis. */
  readonly deployment: string;

  /** The load balancer's idle timeout, which the service's keep-alive outlasts. */
  readonly idleTimeout: Duration;

  /** Time over which the clients of a task that leaves are sent elsewhere. */
  readonly drainTime: Duration;

  /** Proxies in front of the service that write `X-Forwarded-For`. */
  readonly trustedProxyHops: number;

  /** Connections that a task is to hold on average, where the service scales. */
  readonly connectionsPerTask: number;

  /** `/api/session` gives a guest's token to whoever asks. */
  readonly guests: boolean;

  /**
   * Where an identity provider publishes its keys, and what its tokens must say.
   * @default - tokens of the stack's own secret alone
   */
  readonly identityProvider?: {
    readonly jwksUrl: string;
    readonly issuer: string | undefined;
    readonly audience: string | undefined;
  };

  /**
   * Origins of pages on other hosts.
   * @default - the page's own
   */
  readonly corsOrigins?: readonly string[];

  /**
   * Model of Bedrock that answers in the llm hub.
   * @default - the offline one
   */
  readonly model?: Model;

  /**
   * Where LiveKit is, `wss://…` for browsers and `https://…` for the service, and the key that tokens are signed with.
   * @default - there are no calls
   */
  readonly liveKit?: { readonly url: string; readonly apiUrl: string; readonly apiKey: LiveKitKey };
}

/** Port of `/metrics` and `/instance`: no security group opens it, a shell in a task reaches it. */
const adminPort = 9464;

/** The Socket.IO service of this repository, with what its environment wants. */
export class App extends Construct {
  readonly realtime: RealtimeService;

  /** Signs and verifies the tokens of users. */
  readonly authSecret: secretsmanager.Secret;

  /** What backends show to the HTTP API. */
  readonly serviceToken: secretsmanager.Secret;

  private readonly deployment: string;

  constructor(scope: Construct, id: string, props: AppProps) {
    super(scope, id);
    this.deployment = props.deployment;
    this.authSecret = this.generate('AuthSecret', 'Key of users’ tokens (HS256)', props.removalPolicy);
    this.serviceToken = this.generate('ServiceToken', 'Token of backends and operators', props.removalPolicy);
    this.realtime = new RealtimeService(this, 'Realtime', {
      ...props,
      port: defaultPort,
      readsRedisItself: true,
      environment: environmentOf(props),
      secrets: {
        [environmentNames.authSecret]: ecs.Secret.fromSecretsManager(this.authSecret),
        [environmentNames.serviceToken]: ecs.Secret.fromSecretsManager(this.serviceToken),
        ...props.liveKit?.apiKey.variables({
          apiKey: environmentNames.livekitApiKey,
          apiSecret: environmentNames.livekitApiSecret,
        }),
      },
    });
    if (props.guests) this.warnOfGuests();
    this.letItSeeItsOwnState(props.cluster);
    if (props.model) this.realtime.grantPrincipal.addToPrincipalPolicy(invokeModel(this, props.model));
    if (props.maxTasks !== undefined && props.maxTasks > props.minTasks)
      scaleService(this.realtime.service, {
        minTasks: props.minTasks,
        maxTasks: props.maxTasks,
        connections: this.metric('Connections', { statistic: 'Average', period: Duration.minutes(1) }),
        connectionsPerTask: props.connectionsPerTask,
      });
  }

  /** A metric that the service writes into its log, over all tasks. @param name as in app/metric-names.ts */
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

  private warnOfGuests(): void {
    Annotations.of(this).addWarningV2(
      'realtime-stack:guests',
      'Guests are let in: whoever finds the address gets a token and may write. Set `guests` to false where users have tokens of their own.',
    );
  }

  /** A task that ECS takes out learns it from ECS, before SIGTERM: it drains while the load balancer still waits. */
  private letItSeeItsOwnState(cluster: ecs.ICluster): void {
    const tasks = Stack.of(this).formatArn({
      service: 'ecs',
      resource: 'task',
      resourceName: `${cluster.clusterName}/*`,
    });
    this.realtime.grantPrincipal.addToPrincipalPolicy(
      new iam.PolicyStatement({ actions: ['ecs:DescribeTasks'], resources: [tasks] }),
    );
    Validations.of(this.realtime.service.taskDefinition.taskRole).acknowledge({
      id: `AwsSolutions::AwsSolutions-IAM5[Resource::${wildcardOf(this, tasks)}]`,
      reason: 'A task’s id is known when it runs; the rest of the ARN names this cluster alone.',
    });
  }

  private generate(id: string, description: string, removalPolicy: RemovalPolicy) {
    const secret = new secretsmanager.Secret(this, id, {
      description,
      removalPolicy,
      // Two values are separated by a comma while one replaces the other, so it holds none.
      generateSecretString: { passwordLength: 64, excludePunctuation: true },
    });
    Validations.of(secret).acknowledge({
      id: 'AwsSolutions::AwsSolutions-SMG4',
      reason:
        'Tasks read it at start and accept two values while one replaces the other: RUNBOOK, "Rotate a secret".',
    });
    return secret;
  }
}

function environmentOf(props: AppProps): Record<string, string> {
  const { redis, identityProvider, model, liveKit, corsOrigins = [] } = props;
  return {
    [environmentNames.port]: String(defaultPort),
    [environmentNames.host]: '0.0.0.0',
    [environmentNames.deployment]: props.deployment,
    [environmentNames.idleTimeoutSeconds]: String(props.idleTimeout.toSeconds()),
    [environmentNames.drainSeconds]: String(props.drainTime.toSeconds()),
    [environmentNames.trustedProxyHops]: String(props.trustedProxyHops),
    [environmentNames.adminPort]: String(adminPort),
    [environmentNames.emfNamespace]: metricNamespace,
    [environmentNames.guests]: String(props.guests),
    ...(redis
      ? { [environmentNames.redisUrlParameter]: redis.urlParameter.parameterName }
      : { [environmentNames.redisUrl]: 'none' }),
    ...(redis?.secret && { [environmentNames.redisSecretId]: redis.secret.secretArn }),
    ...(identityProvider && {
      [environmentNames.authJwksUrl]: identityProvider.jwksUrl,
      ...(identityProvider.issuer && { [environmentNames.authIssuer]: identityProvider.issuer }),
      ...(identityProvider.audience && { [environmentNames.authAudience]: identityProvider.audience }),
    }),
    ...(corsOrigins.length > 0 && { [environmentNames.corsOrigins]: corsOrigins.join(',') }),
    ...(model && { [environmentNames.modelProvider]: 'bedrock', [environmentNames.modelId]: model.id }),
    ...(liveKit && {
      [environmentNames.livekitUrl]: liveKit.url,
      [environmentNames.livekitApiUrl]: liveKit.apiUrl,
    }),
  };
}

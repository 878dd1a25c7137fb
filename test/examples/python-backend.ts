import { join } from 'node:path';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import { Platform } from 'aws-cdk-lib/aws-ecr-assets';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import { type ApplicationTargetGroup, HttpCodeTarget } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { ContainerService } from '../../lib/aws/ecs/container-service.ts';
import type { CpuArchitecture } from '../../lib/aws/ecs/image.ts';
import { scaleService, scales, type TaskCount } from '../../lib/aws/ecs/service-options.ts';
import { addressWithin, internalPort, routeFrom } from '../../lib/aws/edge/edge.ts';
import { alarm, highest, oneMinute } from '../../lib/aws/observability/alarm.ts';
import { FailedDeployments } from '../../lib/aws/observability/failed-deployments.ts';
import { backendAcl } from '../../lib/aws/redis/backend-acl.ts';
import type { RealtimeStack } from '../../lib/realtime-stack.ts';

export interface PythonBackendProps {
  readonly cpuArchitecture: CpuArchitecture;

  /** Tasks at least; 1 in a stack without Redis. */
  readonly tasks: number;

  /**
   * Tasks at most. Above `tasks`, the backend scales on CPU.
   * @default - as many as `tasks`
   */
  readonly maxTasks?: number;

  /**
   * The image on which this one is built: Python 3.11 or newer, or Debian, whose Python is installed then.
   * @default - that of python-backend/Dockerfile
   */
  readonly baseImage?: string;

  /**
   * A host name of its own, such as `api.example.com`. The stack's certificate must cover it, and its DNS record leads to
   * the load balancer. Behind CloudFront there is one name for all.
   * @default - the path `/backend` under the stack's name
   */
  readonly host?: string;

  /**
   * A PostgreSQL that exists.
   * @default - the backend reaches no database
   */
  readonly database?: DatabaseProps;

  /**
   * More environment variables that are secrets, by the ARNs of the secrets.
   * @default - none
   */
  readonly secrets?: Readonly<Record<string, string>>;

  /**
   * ARN of the customer's KMS key that encrypts `secrets` and the database's secret.
   * @default - AWS's own key
   */
  readonly secretsKmsKeyArn?: string;
}

export interface DatabaseProps {
  /** Its security group, which gets a rule that lets the backend in. */
  readonly securityGroupId: string;

  /** @default 5432 */
  readonly port?: number;

  /** ARN of its secret, as RDS creates it: JSON of `host`, `username` and `password`. */
  readonly secretArn: string;
}

const port = 8000;

/** Its path, where it has no host name. */
const rootPath = '/backend';

/**
 * A FastAPI backend with python-socketio, as a service beside the realtime service: it has a user of its own in the
 * stack's Redis, takes the same users' tokens, and signs tokens for the stack's calls.
 */
export class PythonBackend extends Construct {
  readonly service: ContainerService;

  constructor(stack: RealtimeStack, id: string, props: PythonBackendProps) {
    super(stack, id);
    const { redis, edge } = stack;
    const { cpuArchitecture, host, secretsKmsKeyArn } = props;
    const count = { minTasks: props.tasks, maxTasks: props.maxTasks ?? props.tasks };
    this.service = new ContainerService(this, 'Service', {
      ...stack.storage,
      containerName: 'backend',
      cluster: stack.cluster,
      network: stack.network,
      image: imageOf(props),
      cpuArchitecture,
      cpu: 512,
      memoryMiB: 1024,
      port,
      ...count,
      // The channel is the one that python-socketio takes by itself, so that bridges and other backends find it.
      redis: redis?.accessFor('backend', backendAcl({ channels: ['socketio'], keyPrefix: 'backend:' })),
      environment: {
        PORT: String(port),
        KEY_PREFIX: 'backend:',
        IDLE_TIMEOUT_SECONDS: String(edge.balancer.idleTimeout.toSeconds()),
        CORS_ORIGINS: host ? `https://${host},${edge.url}` : edge.url,
        ...(!host && { ROOT_PATH: rootPath }),
        ...(stack.liveKitKey && { LIVEKIT_URL: edge.webSocketUrl, LIVEKIT_API_URL: addressWithin(edge).url }),
      },
      secrets: {
        AUTH_SECRET: ecs.Secret.fromSecretsManager(stack.service.authSecret),
        ...(stack.liveKitKey && {
          LIVEKIT_API_KEY: stack.liveKitKey.current.apiKey,
          LIVEKIT_API_SECRET: stack.liveKitKey.current.apiSecret,
        }),
        ...this.databaseSecrets(props),
        ...this.extraSecrets(props),
      },
      secretsKmsKeyArn,
    });
    if (redis) this.service.service.node.addDependency(redis);
    if (stack.liveKitKey && edge.internalBalancer)
      this.service.connections.allowTo(edge.internalBalancer, ec2.Port.tcp(internalPort), 'LiveKit’s API');
    if (props.database) this.allowDatabase(props.database);
    if (scales(count)) scaleService(this.service.service, count, { cpuPercent: 60 });
    const targets = routeFrom(edge, this.service, {
      name: 'Backend',
      port,
      readyPath: '/health/ready',
      priority: 1_000,
      ...(host ? { hosts: [host] } : { paths: [rootPath, `${rootPath}/*`] }),
    });
    this.addAlarms(stack, targets, count);
  }

  private databaseSecrets({ database }: PythonBackendProps): Record<string, ecs.Secret> {
    if (!database) return {};
    const secret = Secret.fromSecretCompleteArn(this, 'Database', database.secretArn);
    return {
      DATABASE_HOST: ecs.Secret.fromSecretsManager(secret, 'host'),
      DATABASE_USERNAME: ecs.Secret.fromSecretsManager(secret, 'username'),
      DATABASE_PASSWORD: ecs.Secret.fromSecretsManager(secret, 'password'),
    };
  }

  private extraSecrets({ secrets = {} }: PythonBackendProps): Record<string, ecs.Secret> {
    return Object.fromEntries(
      Object.entries(secrets).map(([variable, arn]) => [
        variable,
        ecs.Secret.fromSecretsManager(Secret.fromSecretCompleteArn(this, `Secret${variable}`, arn)),
      ]),
    );
  }

  /** The same that the service has, with the same articles in RUNBOOK.md. */
  private addAlarms({ alarmTopic }: RealtimeStack, targets: ApplicationTargetGroup, count: TaskCount): void {
    const { service } = this.service;
    const shared = { topic: alarmTopic, after: service };
    alarm(this, 'UnhealthyTargets', {
      ...shared,
      runbook: 'Instances are not ready',
      meaning: 'A task of the Python backend fails its health check.',
      metric: targets.metrics.unhealthyHostCount(highest),
      above: 0,
      points: [3, 5],
      noData: 'fine',
      because: 'the metric exists while there are targets',
    });
    alarm(this, 'TaskShortage', {
      ...shared,
      runbook: 'Fewer tasks than asked for',
      meaning: `Fewer than ${count.minTasks} tasks of the Python backend are healthy.`,
      metric: targets.metrics.healthyHostCount(highest),
      below: count.minTasks,
      points: [10, 10],
      noData: 'alarm',
      because: 'the metric exists while there is a single task',
    });
    alarm(this, 'ServerErrors', {
      ...shared,
      runbook: 'Requests fail',
      meaning: 'The Python backend responded to more than ten requests a minute with 500 or more.',
      metric: targets.metrics.httpCodeTarget(HttpCodeTarget.TARGET_5XX_COUNT, {
        statistic: 'Sum',
        period: oneMinute,
      }),
      above: 10,
      points: [3, 5],
      noData: 'fine',
      because: 'there were no such responses',
    });
    new FailedDeployments(this, 'FailedDeployments', {
      topic: alarmTopic,
      serviceArns: [service.serviceArn],
    });
  }

  private allowDatabase({ securityGroupId, port: databasePort = 5432 }: DatabaseProps): void {
    const group = ec2.SecurityGroup.fromSecurityGroupId(this, 'DatabaseGroup', securityGroupId);
    this.service.connections.allowTo(group, ec2.Port.tcp(databasePort), 'backend to database');
  }
}

function imageOf({ cpuArchitecture, baseImage }: PythonBackendProps): ecs.ContainerImage {
  return ecs.ContainerImage.fromAsset(join(import.meta.dirname, 'python-backend'), {
    platform: cpuArchitecture === 'arm64' ? Platform.LINUX_ARM64 : Platform.LINUX_AMD64,
    ...(baseImage && { buildArgs: { BASE: baseImage } }),
  });
}

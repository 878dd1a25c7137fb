import { join } from 'node:path';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import { Platform } from 'aws-cdk-lib/aws-ecr-assets';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { ContainerService } from '../../lib/aws/ecs/container-service.ts';
import type { CpuArchitecture } from '../../lib/aws/ecs/image.ts';
import { addressWithin, internalPort, routeFrom } from '../../lib/aws/edge/edge.ts';
import { backendAcl } from '../../lib/aws/redis/backend-acl.ts';
import type { RealtimeStack } from '../../lib/realtime-stack.ts';

export interface PythonBackendProps {
  readonly cpuArchitecture: CpuArchitecture;

  /** Tasks at least and at most; both 1 in a stack without Redis. */
  readonly tasks: number;

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
    const { cpuArchitecture, host, tasks, secretsKmsKeyArn } = props;
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
      minTasks: tasks,
      maxTasks: tasks,
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
    routeFrom(edge, this.service, {
      name: 'Backend',
      port,
      readyPath: '/health/ready',
      ...(host ? { hosts: [host] } : { paths: [rootPath, `${rootPath}/*`] }),
    });
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

import { Duration, RemovalPolicy, Stack, type StackProps, Validations } from 'aws-cdk-lib';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import type { AclRules } from '../../app/server/redis/acl.ts';
import { Cluster } from '../../lib/aws/ecs/cluster.ts';
import { ContainerService } from '../../lib/aws/ecs/container-service.ts';
import { CloudFrontEdge } from '../../lib/aws/edge/cloudfront-edge.ts';
import { routeFrom } from '../../lib/aws/edge/edge.ts';
import { Network } from '../../lib/aws/network/network.ts';
import { CacheUsers } from '../../lib/aws/redis/cache-users.ts';
import { ValkeyCache } from '../../lib/aws/redis/valkey-cache.ts';

export interface ContainerStackProps extends StackProps {
  /** Folder with a Dockerfile. */
  readonly source: string;

  /** Port that the container listens on. */
  readonly port: number;

  /** Path that responds with 200 while the container accepts clients. */
  readonly readyPath: string;

  /** What its user may do in Redis. */
  readonly acl: AclRules;

  /**
   * Environment variables that are no secrets.
   * @default - none
   */
  readonly environment?: Readonly<Record<string, string>>;
}

/** A realtime backend of any kind, on two tasks behind CloudFront, connected by a cache. */
export class ContainerStack extends Stack {
  constructor(scope: Construct, id: string, props: ContainerStackProps) {
    super(scope, id, props);
    const retention = { logRetention: 7, removalPolicy: RemovalPolicy.DESTROY };
    const network = new Network(this, 'Network', {
      ...retention,
      availabilityZones: ['us-east-1a', 'us-east-1b'],
      natGateways: 0,
    });
    const { cluster } = new Cluster(this, 'Cluster', { vpc: network.vpc, containerInsights: false });
    const redis = new ValkeyCache(this, 'Redis', {
      network,
      users: new CacheUsers(this, 'RedisUsers', { passwordVersion: 1 }),
      nodeType: 'cache.t4g.micro',
      engineVersion: '8.2',
      replicas: 1,
      snapshotRetentionDays: 0,
      maintenanceWindow: 'sun:04:00-sun:05:00',
    });
    const edge = new CloudFrontEdge(this, 'Edge', {
      ...retention,
      network,
      idleTimeout: Duration.minutes(2),
      drainTime: Duration.seconds(30),
      deletionProtection: false,
      prefixListId: 'pl-3b927c52',
    });
    const service = new ContainerService(this, 'Service', {
      ...retention,
      cluster,
      network,
      image: ecs.ContainerImage.fromAsset(props.source),
      cpuArchitecture: 'x86_64',
      cpu: 256,
      memoryMiB: 512,
      port: props.port,
      minTasks: 2,
      maxTasks: 2,
      redis: redis.accessFor('hub', props.acl),
      // Behind CloudFront a container does not see the name of its own pages.
      environment: { CORS_ORIGINS: edge.url, ...props.environment },
      secrets: { AUTH_SECRET: ecs.Secret.fromSecretsManager(this.createAuthSecret()) },
    });
    service.service.node.addDependency(redis);
    routeFrom(edge, service, { name: 'Default', port: props.port, readyPath: props.readyPath });
  }

  private createAuthSecret() {
    const secret = new secretsmanager.Secret(this, 'AuthSecret', {
      description: 'Key of users’ tokens (HS256)',
      generateSecretString: { passwordLength: 64, excludePunctuation: true },
    });
    Validations.of(secret).acknowledge({
      id: 'AwsSolutions::AwsSolutions-SMG4',
      reason: 'Tasks read it when they start: it is rotated by a deployment.',
    });
    return secret;
  }
}

import { Annotations, Lazy, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as elasticache from 'aws-cdk-lib/aws-elasticache';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import * as ssm from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import type { Place } from '../network/place.ts';
import { acknowledgeRotation, BackplaneUser } from './backplane-user.ts';
import { cacheParameters } from './cache-parameters.ts';
import { readParameter } from './read-parameter.ts';
import type { RedisAccess, RedisClient } from './redis-access.ts';
import { redisSettings } from './redis-settings.ts';

export interface BackplaneProps {
  readonly place: Place;

  /** Node type, such as `cache.t4g.micro`. */
  readonly nodeType: string;

  /** Version of Valkey, such as `8.2`. */
  readonly engineVersion: string;

  /** Replicas in other zones; with one at least the cache fails over by itself. */
  readonly replicas: number;

  /**
   * Always 1.
   * @default 1
   */
  readonly shards?: number;

  /**
   * TCP port of the cache.
   * @default 6379
   */
  readonly port?: number;

  /**
   * Days that the daily snapshots are kept; 0 takes none.
   * @default 1
   */
  readonly snapshotRetentionDays?: number;

  /**
   * Weekly window in UTC in which AWS patches the cache.
   * @default 'sun:04:00-sun:05:00'
   */
  readonly maintenanceWindow?: string;

  /**
   * Counts the rotations of the passwords.
   * @default 1
   */
  readonly passwordRound?: number;
}

/** The window is in UTC; the configuration keeps the maintenance window off it. */
const snapshotsOf = (days: number) =>
  days > 0 ? { snapshotRetentionLimit: days, snapshotWindow: '02:00-03:00' } : { snapshotRetentionLimit: 0 };

/** Ids of users and groups, in ElastiCache. */
const longestId = 40;

/**
 * The Valkey cache through which instances behave as one, and the SSM parameter that tells them where it is.
 *
 * Cluster mode is off: the services use Pub/Sub for all nodes and scripts over several keys. Each service has a user
 * of its own with the least permissions that work; the parameter holds no secret.
 */
export class Backplane extends Construct implements ec2.IConnectable {
  readonly connections: ec2.Connections;

  /** `rediss://host:port` of the primary node, a name that moves with a failover. */
  readonly urlParameter: ssm.StringParameter;

  /** Nodes, replicas included. */
  readonly nodeCount: number;

  private readonly port: number;
  private readonly passwordRound: number;
  private readonly cache: elasticache.CfnReplicationGroup;
  private readonly users: elasticache.CfnUser[] = [];

  constructor(scope: Construct, id: string, props: BackplaneProps) {
    super(scope, id);
    if (props.shards !== undefined && props.shards !== 1)
      throw new Error(
        `\`shards\` must be 1, got: ${props.shards}; in cluster mode scripts over several keys and Pub/Sub for all fail (CROSSSLOT): take a bigger \`nodeType\``,
      );
    this.port = props.port ?? 6379;
    this.passwordRound = props.passwordRound ?? 1;
    this.nodeCount = 1 + props.replicas;
    const securityGroup = new ec2.SecurityGroup(this, 'SecurityGroup', {
      vpc: props.place.vpc,
      description: 'Valkey cache: admits the services that were granted to connect',
      allowAllOutbound: false,
    });
    this.connections = new ec2.Connections({
      securityGroups: [securityGroup],
      defaultPort: ec2.Port.tcp(this.port),
    });
    this.disableDefaultUser();
    this.cache = this.createCache(props, securityGroup);
    this.urlParameter = new ssm.StringParameter(this, 'RedisUrl', {
      parameterName: `/realtime-stack/${Stack.of(this).stackName}/redis-url`,
      description: 'Where the backplane is; read by the service at each connect',
      stringValue: `rediss://${this.host}:${this.port}`,
    });
    if (props.replicas === 0) this.warnOfSingleNode();
  }

  /** Name of the primary node. */
  get host(): string {
    return this.cache.attrPrimaryEndPointAddress;
  }

  /** Where the primary node is, by a name that moves with a failover. */
  get endpoint(): { readonly host: string; readonly port: number } {
    return { host: this.host, port: this.port };
  }

  /** Id of the replication group. */
  get replicationGroupId(): string {
    return this.cache.ref;
  }

  /**
   * A user for one service.
   *
   * @param name of the service; it logs in with it
   * @param accessString rules as in `ACL SETUSER`
   */
  addUser(name: string, accessString: string): RedisAccess {
    const user = this.createUser(name, accessString);
    let settings: secretsmanager.ISecret | undefined;
    return {
      urlParameter: this.urlParameter,
      secret: user.secret,
      settings: () => {
        settings ??= this.createSettings(name, user);
        return settings;
      },
      grantConnect: (client) => this.grantConnect(client, user),
    };
  }

  /** A metric of one node, from 1. @param name as in CloudWatch's namespace AWS/ElastiCache */
  metricNode(name: string, node: number, props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return new cloudwatch.Metric({
      namespace: 'AWS/ElastiCache',
      metricName: name,
      // Nodes of a group without shards are called so, the replicas too.
      dimensionsMap: { CacheClusterId: `${this.replicationGroupId}-${String(node).padStart(3, '0')}` },
      ...props,
    });
  }

  /** The highest share of memory in use on any node, in percent. */
  metricMemoryUsage(props?: cloudwatch.MetricOptions): cloudwatch.IMetric {
    return this.highest('DatabaseMemoryUsagePercentage', props);
  }

  /** The highest load of the engine's one thread on any node, in percent. */
  metricEngineCpu(props?: cloudwatch.MetricOptions): cloudwatch.IMetric {
    return this.highest('EngineCPUUtilization', props);
  }

  private highest(name: string, props?: cloudwatch.MetricOptions): cloudwatch.IMetric {
    const nodes = Array.from({ length: this.nodeCount }, (_, index) => index + 1);
    return new cloudwatch.MathExpression({
      expression: `MAX([${nodes.map((node) => `node${node}`).join(', ')}])`,
      label: name,
      period: props?.period,
      usingMetrics: Object.fromEntries(
        nodes.map((node) => [`node${node}`, this.metricNode(name, node, { statistic: 'Maximum', ...props })]),
      ),
    });
  }

  private grantConnect(client: RedisClient, user: BackplaneUser): void {
    this.connections.allowDefaultPortFrom(client, 'service to cache');
    client.grantPrincipal.addToPrincipalPolicy(readParameter(this.urlParameter));
    user.secret.grantRead(client);
  }

  private createUser(name: string, accessString: string): BackplaneUser {
    const user = new BackplaneUser(this, `${name[0]?.toUpperCase()}${name.slice(1)}User`, {
      userName: name,
      userId: this.idOf(name),
      accessString,
      passwordRound: this.passwordRound,
    });
    this.chain(user.resource);
    return user;
  }

  /** One after another: a group takes a change of one user only while none of its users is `modifying`. */
  private chain(user: elasticache.CfnUser): void {
    const previous = this.users.at(-1);
    if (previous) user.addResourceDependency(previous);
    this.users.push(user);
  }

  private idOf(name: string): string {
    const id = `${Stack.of(this).stackName.toLowerCase()}-${name}`;
    if (id.length > longestId)
      throw new Error(
        `\`stackName\` and \`name\` must have ${longestId - 1} characters at most together, got: ${id}; ElastiCache takes no longer id of a user`,
      );
    return id;
  }

  /** Nobody logs in without a name. It has a password besides, so that turning it on opens nothing. */
  private disableDefaultUser(): void {
    const secret = new secretsmanager.Secret(this, 'DefaultPassword', {
      description: 'Password of the cache’s user `default`, which is off',
      generateSecretString: { passwordLength: 64, excludePunctuation: true },
    });
    acknowledgeRotation(secret);
    this.chain(
      new elasticache.CfnUser(this, 'DefaultUser', {
        engine: 'valkey',
        userId: this.idOf('default'),
        userName: 'default',
        accessString: 'off -@all',
        passwords: [secret.secretValue.unsafeUnwrap()],
      }),
    );
  }

  private createSettings(name: string, user: BackplaneUser) {
    const settings = redisSettings(user, `Settings${this.passwordRound}`, {
      host: this.host,
      port: this.port,
      tls: true,
      credentials: user.secret,
      description: `Redis setting of ${name}: url and connectionString`,
    });
    acknowledgeRotation(settings);
    return settings;
  }

  private createCache(props: BackplaneProps, securityGroup: ec2.ISecurityGroup) {
    const failsOver = props.replicas > 0;
    const cache = new elasticache.CfnReplicationGroup(this, 'Cache', {
      replicationGroupDescription: `Backplane of ${Stack.of(this).stackName}`,
      engine: 'valkey',
      engineVersion: props.engineVersion,
      cacheNodeType: props.nodeType,
      clusterMode: 'disabled',
      numCacheClusters: 1 + props.replicas,
      automaticFailoverEnabled: failsOver,
      multiAzEnabled: failsOver,
      port: this.port,
      // On from the start: later it would take a passage through `preferred`.
      transitEncryptionEnabled: true,
      transitEncryptionMode: 'required',
      atRestEncryptionEnabled: true,
      autoMinorVersionUpgrade: true,
      preferredMaintenanceWindow: props.maintenanceWindow ?? 'sun:04:00-sun:05:00',
      ...snapshotsOf(props.snapshotRetentionDays ?? 1),
      cacheParameterGroupName: this.parameters(props).ref,
      cacheSubnetGroupName: this.subnets(props.place).ref,
      securityGroupIds: [securityGroup.securityGroupId],
      userGroupIds: [this.userGroup().ref],
    });
    // A delivery window, not a database: nothing in it outlives the deployment.
    cache.applyRemovalPolicy(RemovalPolicy.DESTROY);
    Validations.of(cache).acknowledge({
      id: 'AwsSolutions::AwsSolutions-AEC6',
      reason:
        'The rule knows the one token of all; here each service has a user of its own, and `default` is off.',
    });
    return cache;
  }

  private userGroup() {
    return new elasticache.CfnUserGroup(this, 'Users', {
      engine: 'valkey',
      userGroupId: this.idOf('users'),
      userIds: Lazy.list({ produce: () => this.users.map((user) => user.ref) }),
    });
  }

  private parameters({ engineVersion, nodeType }: BackplaneProps) {
    return new elasticache.CfnParameterGroup(this, 'Parameters', {
      cacheParameterGroupFamily: `valkey${engineVersion.split('.')[0]}`,
      description: 'A full cache refuses writes: an evicted log would be a silent gap',
      properties: cacheParameters(nodeType),
    });
  }

  private subnets(place: Place) {
    return new elasticache.CfnSubnetGroup(this, 'Subnets', {
      description: 'Isolated subnets of the cache',
      subnetIds: place.vpc.selectSubnets(place.isolatedSubnets).subnetIds,
    });
  }

  private warnOfSingleNode(): void {
    Annotations.of(this).addWarningV2(
      'realtime-stack:single-cache-node',
      'The cache has no replica: if its node fails, instances are apart for minutes and the delivery window is lost. Set `cacheReplicas` to 1 or more.',
    );
    Validations.of(this.cache).acknowledge({
      id: 'AwsSolutions::AwsSolutions-AEC4',
      reason: '`cacheReplicas` is 0: a single node, chosen for its price and warned of at synth.',
    });
  }
}

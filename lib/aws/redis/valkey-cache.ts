import { Annotations, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as elasticache from 'aws-cdk-lib/aws-elasticache';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import type * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import type * as sns from 'aws-cdk-lib/aws-sns';
import type * as ssm from 'aws-cdk-lib/aws-ssm';
import { Construct, Dependable, type IDependable } from 'constructs';
import { type AclRules, renderAcl } from '../../../app/server/redis/acl.ts';
import { decryptSecrets } from '../account/decrypt-secrets.ts';
import type { NetworkPlacement } from '../network/network-placement.ts';
import { CacheNodes } from './cache-nodes.ts';
import { acknowledgeRotation, type CacheUser } from './cache-user.ts';
import type { CacheUsers } from './cache-users.ts';
import type { Redis, RedisAccess, RedisClient } from './redis.ts';
import { addSettingSecret, addUrlParameter, readParameter, readSecrets } from './redis-setting.ts';

export interface ValkeyCacheProps {
  readonly network: NetworkPlacement;

  /** The users that it admits. Caches of one stack share them. */
  readonly users: CacheUsers;

  /**
   * Shards: 1 is cluster mode off, 3 or more are a cluster. Changing it between more than one moves slots, while the cache
   * serves. ElastiCache can't change it from 1 to more: that is another cache, in a construct of its own.
   * @default 1
   */
  readonly shards?: number;

  /** Node type, such as `cache.t4g.micro`. */
  readonly nodeType: string;

  /** Version of Valkey, such as `8.2`. */
  readonly engineVersion: string;

  /**
   * Replicas of each primary, in other availability zones; one at least in cluster mode. CloudFormation replaces a cluster
   * whose replicas change: give it another id then.
   */
  readonly replicas: number;

  /**
   * A replica takes over when the primary fails. ElastiCache refuses a change of this together with one from no replica
   * or to none.
   * @default - if there are replicas
   */
  readonly failsOver?: boolean;

  /** Days for which daily snapshots are kept; 0 takes none. */
  readonly snapshotRetentionDays: number;

  /** Weekly window in UTC in which AWS patches the cache, such as `sun:04:00-sun:05:00`. */
  readonly maintenanceWindow: string;

  /**
   * Topic to which ElastiCache reports events, such as a failover. ElastiCache can't write to an encrypted topic.
   * @default - none
   */
  readonly notifications?: sns.ITopic;

  /**
   * Whether ElastiCache takes a last snapshot when the cache is deleted: it has the bans and revocations.
   * @default false
   */
  readonly snapshotOnDeletion?: boolean;

  /**
   * The customer's KMS key with which the cache is encrypted, and the secrets that contain its address.
   * @default - AWS’s own key
   */
  readonly encryptionKey?: kms.IKey;
}

const port = 6379;

/** The configuration keeps the maintenance window, which is in UTC too, clear of the snapshot window. */
const snapshotsFor = (days: number) =>
  days > 0 ? { snapshotRetentionLimit: days, snapshotWindow: '02:00-03:00' } : { snapshotRetentionLimit: 0 };

/** Two shards have no majority: when one of the primaries fails, the other can't agree to a replica in its place. */
function assertShape(props: ValkeyCacheProps & { readonly shards: number }): void {
  const { shards, replicas } = props;
  if (shards === 1 || (shards > 2 && replicas > 0 && failsOver(props))) return;
  throw new Error(
    `\`shards\` must be 1, or 3 or more with a replica each that takes over, got: ${shards} with ${replicas} replicas; take shards 3 and replicas 1`,
  );
}

const shapeOf = ({ shards = 1, replicas }: ValkeyCacheProps) =>
  shards === 1
    ? { clusterMode: 'disabled', numCacheClusters: 1 + replicas }
    : { clusterMode: 'enabled', numNodeGroups: shards, replicasPerNodeGroup: replicas };

const failsOver = ({ replicas, failsOver = replicas > 0 }: ValkeyCacheProps) => failsOver;

/**
 * An ElastiCache for Valkey replication group, and the SSM parameter with its address: one primary, or the shards of a
 * cluster. Each service has its own user with the fewest permissions that work.
 */
export class ValkeyCache extends Construct implements Redis, ec2.IConnectable {
  readonly connections: ec2.Connections;

  /**
   * `rediss://host:port` of the primary node, whose name follows the primary after a failover; of a cluster, its
   * configuration endpoint, which knows all nodes.
   */
  readonly urlParameter: ssm.StringParameter;

  /** Its nodes, with their metrics. */
  readonly nodes: CacheNodes;

  private readonly isCluster: boolean;
  private readonly encryptionKey: kms.IKey | undefined;
  private readonly cache: elasticache.CfnReplicationGroup;
  private readonly users: CacheUsers;

  constructor(scope: Construct, id: string, props: ValkeyCacheProps) {
    super(scope, id);
    const { shards = 1, replicas } = props;
    assertShape({ ...props, shards });
    this.isCluster = shards > 1;
    this.encryptionKey = props.encryptionKey;
    this.users = props.users;
    // Whoever depends on the cache also waits for its users.
    Dependable.implement(this, { dependencyRoots: [this, props.users] });
    const securityGroup = new ec2.SecurityGroup(this, 'SecurityGroup', {
      vpc: props.network.vpc,
      description: 'Valkey cache: admits the services that were granted to connect',
      allowAllOutbound: false,
    });
    this.connections = new ec2.Connections({
      securityGroups: [securityGroup],
      defaultPort: ec2.Port.tcp(port),
    });
    this.cache = this.createCache(props, securityGroup);
    this.nodes = CacheNodes.of(this.cache.ref, { shards, replicas });
    this.urlParameter = addUrlParameter(
      this,
      this.isCluster ? `redis-shards-of-${1 + replicas}-url` : 'redis-url',
      this.address,
    );
    if (!failsOver(props)) this.warnAboutOutages(props);
  }

  /** Creates a user for the service. */
  accessFor(name: string, rules: AclRules): RedisAccess {
    const user = this.users.add(name, renderAcl(rules));
    const { host, tls } = this.address;
    let settings: secretsmanager.ISecret | undefined;
    return {
      endpoint: { host, port },
      tls,
      username: name,
      urlParameter: this.urlParameter,
      secret: user.secret,
      passwordField: 'password',
      settings: () => {
        settings ??= this.createSettingSecret(name, user);
        return settings;
      },
      grantConnect: (client) => this.grantConnect(client, user),
    };
  }

  private get address() {
    const { cache } = this;
    const host = this.isCluster ? cache.attrConfigurationEndPointAddress : cache.attrPrimaryEndPointAddress;
    return { host, port, tls: true };
  }

  private grantConnect(client: RedisClient, user: CacheUser): void {
    this.connections.allowDefaultPortFrom(client, 'service to cache');
    client.grantPrincipal.addToPrincipalPolicy(readParameter(this.urlParameter));
    // Tasks of the previous version run until the last of them is replaced, and connect again meanwhile.
    client.grantPrincipal.addToPrincipalPolicy(readSecrets(user.secrets));
    if (this.encryptionKey)
      client.grantPrincipal.addToPrincipalPolicy(decryptSecrets(this, this.encryptionKey.keyArn));
  }

  private createSettingSecret(name: string, user: CacheUser) {
    // A secret for each cache: a task goes on to use the one that it was started with.
    const id = `${name[0]?.toUpperCase()}${name.slice(1)}Settings${this.users.passwordVersion}`;
    const secret = addSettingSecret(this, id, {
      ...this.address,
      access: { username: name, secret: user.secret, passwordField: 'password' },
      description: `Redis setting of ${name}: url and connectionString`,
      encryptionKey: this.encryptionKey,
    });
    acknowledgeRotation(secret);
    return secret;
  }

  private createCache(props: ValkeyCacheProps, securityGroup: ec2.ISecurityGroup) {
    const cache = new elasticache.CfnReplicationGroup(this, 'Cache', {
      replicationGroupDescription: `Backplane of ${Stack.of(this).stackName}`,
      engine: 'valkey',
      engineVersion: props.engineVersion,
      cacheNodeType: props.nodeType,
      ...shapeOf(props),
      automaticFailoverEnabled: failsOver(props),
      multiAzEnabled: failsOver(props),
      port,
      // TLS is required from creation; enabling it later would need a step through the mode `preferred`.
      transitEncryptionEnabled: true,
      transitEncryptionMode: 'required',
      atRestEncryptionEnabled: true,
      kmsKeyId: props.encryptionKey?.keyArn,
      autoMinorVersionUpgrade: true,
      notificationTopicArn: props.notifications?.topicArn,
      preferredMaintenanceWindow: props.maintenanceWindow,
      ...snapshotsFor(props.snapshotRetentionDays),
      cacheParameterGroupName: this.createParameterGroup(props).ref,
      cacheSubnetGroupName: this.createSubnetGroup(props.network).ref,
      securityGroupIds: [securityGroup.securityGroupId],
      userGroupIds: [props.users.group.ref],
    });
    // Without it, CloudFormation would replace the cache where shards are added or removed.
    if (this.isCluster) cache.cfnOptions.updatePolicy = { useOnlineResharding: true };
    if (props.notifications) cache.node.addDependency(admitElastiCache(props.notifications));
    cache.applyRemovalPolicy(props.snapshotOnDeletion ? RemovalPolicy.SNAPSHOT : RemovalPolicy.DESTROY);
    Validations.of(cache).acknowledge({
      id: 'AwsSolutions::AwsSolutions-AEC6',
      reason:
        'The rule knows one token for all clients; here each service has its own user, and `default` is off.',
    });
    return cache;
  }

  private createParameterGroup({ engineVersion, nodeType }: ValkeyCacheProps) {
    return new elasticache.CfnParameterGroup(this, 'Parameters', {
      cacheParameterGroupFamily: `valkey${engineVersion.split('.')[0]}`,
      description: 'A full cache refuses writes: an evicted log would be a silent gap',
      properties: { ...parametersFor(nodeType), ...(this.isCluster && clusterParameters) },
    });
  }

  private createSubnetGroup({ vpc, isolatedSubnets }: NetworkPlacement) {
    return new elasticache.CfnSubnetGroup(this, 'Subnets', {
      description: 'Isolated subnets of the cache',
      subnetIds: vpc.selectSubnets(isolatedSubnets).subnetIds,
    });
  }

  private warnAboutOutages({ replicas }: ValkeyCacheProps): void {
    Annotations.of(this).addWarningV2(
      'realtime-stack:single-cache-node',
      replicas === 0
        ? 'The cache has no replica: if its node fails, instances are apart for minutes and the delivery window is lost. Set `cacheReplicas` to 1 or more; a deployed stack takes the two steps of RUNBOOK.md: "Add replicas, or remove them all".'
        : 'The cache’s replicas do not take over if its primary fails. Remove `cacheFailover` with the next deployment.',
    );
    Validations.of(this.cache).acknowledge({
      id: 'AwsSolutions::AwsSolutions-AEC4',
      reason: 'A single node, chosen for its price, or on the way to or from one; synth warns about it.',
    });
  }
}

/**
 * ElastiCache publishes as the owner of the topic, which the condition names (ElastiCache User Guide, "Managing
 * ElastiCache Amazon SNS notifications"). With `aws:SourceAccount` it could not.
 */
function admitElastiCache(topic: sns.ITopic): IDependable {
  const { policyDependable } = topic.addToResourcePolicy(
    new iam.PolicyStatement({
      actions: ['sns:Publish'],
      principals: [new iam.AnyPrincipal()],
      resources: [topic.topicArn],
      conditions: { StringEquals: { 'aws:SourceOwner': Stack.of(topic).account } },
    }),
  );
  return policyDependable ?? topic;
}

/** A lost shard takes its own rooms along, and no others: those that are left go on to serve. */
const clusterParameters = { 'cluster-enabled': 'yes', 'cluster-require-full-coverage': 'no' };

const MiB = 1024 * 1024;

/** Parameters of the cache, by ElastiCache's names. */
function parametersFor(nodeType: string): Record<string, string> {
  // Burstable nodes have 0.5–3 GiB, and output that waits for slow subscribers counts against it: they keep AWS's
  // default limits. A bigger node tolerates an instance that does not read for a second. A subscriber that is
  // disconnected loses nothing, because it subscribes again and reads the logs.
  const isBurstable = /^cache\.t\d/.test(nodeType);
  const [hard, soft] = isBurstable ? [32, 8] : [128, 32];
  return {
    'maxmemory-policy': 'noeviction',
    'client-output-buffer-limit-pubsub-hard-limit': String(hard * MiB),
    'client-output-buffer-limit-pubsub-soft-limit': String(soft * MiB),
    'client-output-buffer-limit-pubsub-soft-seconds': '60',
  };
}

import { Annotations, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as elasticache from 'aws-cdk-lib/aws-elasticache';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as ssm from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';

/** What connects to the cache: it has a role that reads the address and a network place that reaches it. */
export type BackplaneClient = iam.IGrantable & ec2.IConnectable;

export interface BackplaneProps {
  readonly vpc: ec2.IVpc;

  /** Node type, such as `cache.t4g.micro`. */
  readonly nodeType: string;

  /** Version of Valkey, such as `8.2`. */
  readonly engineVersion: string;

  /** Replicas in other zones; with one at least the cache fails over by itself. */
  readonly replicas: number;

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
}

/**
 * The Valkey cache through which instances behave as one, and the SSM parameter that tells them where it is.
 *
 * Cluster mode is off: the services use `PSUBSCRIBE` and scripts over several keys. Access is controlled by the
 * security group, which admits what `grantConnect` names, and by TLS; there are no users and passwords, so the
 * parameter holds no secret.
 */
export class Backplane extends Construct implements ec2.IConnectable {
  readonly connections: ec2.Connections;

  /** `rediss://host:port` of the primary node, a name that moves with a failover. */
  readonly redisUrlParameter: ssm.StringParameter;

  private readonly port: number;

  constructor(scope: Construct, id: string, props: BackplaneProps) {
    super(scope, id);
    this.port = props.port ?? 6379;
    const securityGroup = new ec2.SecurityGroup(this, 'SecurityGroup', {
      vpc: props.vpc,
      description: 'Valkey cache: admits the services that were granted to connect',
      allowAllOutbound: false,
    });
    this.connections = new ec2.Connections({
      securityGroups: [securityGroup],
      defaultPort: ec2.Port.tcp(this.port),
    });
    const cache = this.createCache(props, securityGroup);
    this.redisUrlParameter = this.publishUrl(cache);
    if (props.replicas === 0) this.warnOfSingleNode(cache);
  }

  /** Lets a service read where the cache is, and reach it. */
  grantConnect(client: BackplaneClient): iam.Grant {
    this.connections.allowDefaultPortFrom(client, 'service to cache');
    return iam.Grant.addToPrincipal({
      grantee: client,
      actions: ['ssm:GetParameter'],
      resourceArns: [this.redisUrlParameter.parameterArn],
    });
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
      snapshotRetentionLimit: props.snapshotRetentionDays ?? 1,
      cacheParameterGroupName: this.parameters(props.engineVersion).ref,
      cacheSubnetGroupName: this.subnets(props.vpc).ref,
      securityGroupIds: [securityGroup.securityGroupId],
    });
    // A delivery window, not a database: nothing in it outlives the deployment.
    cache.applyRemovalPolicy(RemovalPolicy.DESTROY);
    Validations.of(cache).acknowledge({
      id: 'AwsSolutions::AwsSolutions-AEC6',
      reason:
        'There are no users: the security group admits named services alone, and every connection is TLS.',
    });
    return cache;
  }

  private parameters(engineVersion: string) {
    return new elasticache.CfnParameterGroup(this, 'Parameters', {
      cacheParameterGroupFamily: `valkey${engineVersion.split('.')[0]}`,
      description: 'A full cache refuses writes: an evicted log would be a silent gap',
      properties: { 'maxmemory-policy': 'noeviction' },
    });
  }

  private subnets(vpc: ec2.IVpc) {
    return new elasticache.CfnSubnetGroup(this, 'Subnets', {
      description: 'Isolated subnets of the cache',
      subnetIds: vpc.selectSubnets({ subnetType: ec2.SubnetType.PRIVATE_ISOLATED }).subnetIds,
    });
  }

  private publishUrl(cache: elasticache.CfnReplicationGroup) {
    return new ssm.StringParameter(this, 'RedisUrl', {
      parameterName: `/realtime-stack/${Stack.of(this).stackName}/redis-url`,
      description: 'Where the backplane is; read by the service when it starts',
      stringValue: `rediss://${cache.attrPrimaryEndPointAddress}:${this.port}`,
    });
  }

  private warnOfSingleNode(cache: elasticache.CfnReplicationGroup): void {
    Annotations.of(this).addWarningV2(
      'realtime-stack:single-cache-node',
      'The cache has no replica: if its node fails, instances are apart for minutes and the delivery window is lost. Set `cacheReplicas` to 1 or more.',
    );
    Validations.of(cache).acknowledge({
      id: 'AwsSolutions::AwsSolutions-AEC4',
      reason: '`cacheReplicas` is 0: a single node, chosen for its price and warned of at synth.',
    });
  }
}

import {
  Annotations,
  CfnOutput,
  DefaultStackSynthesizer,
  Duration,
  Fn,
  PermissionsBoundary,
  RemovalPolicy,
  Stack,
  Tags,
} from 'aws-cdk-lib';
import type { ICluster } from 'aws-cdk-lib/aws-ecs';
import { type IKey, Key } from 'aws-cdk-lib/aws-kms';
import { HostedZone, type IHostedZone } from 'aws-cdk-lib/aws-route53';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import { Agent } from './aws/agent/agent.ts';
import { Cluster } from './aws/ecs/cluster.ts';
import { CloudFrontEdge } from './aws/edge/cloudfront-edge.ts';
import { addressWithin, type Edge, internalPort } from './aws/edge/edge.ts';
import { PublicEdge } from './aws/edge/public-edge.ts';
import { TurnBalancer } from './aws/edge/turn-balancer.ts';
import { LiveKit } from './aws/livekit/livekit.ts';
import { LiveKitKey } from './aws/livekit/livekit-key.ts';
import { ExistingNetwork } from './aws/network/existing-network.ts';
import { Network } from './aws/network/network.ts';
import type { NetworkPlacement } from './aws/network/network-placement.ts';
import { AlarmTopic } from './aws/observability/alarm-topic.ts';
import { Observability } from './aws/observability/observability.ts';
import { CacheUsers } from './aws/redis/cache-users.ts';
import { ExistingRedis } from './aws/redis/existing-redis.ts';
import type { Redis } from './aws/redis/redis.ts';
import { ValkeyCache } from './aws/redis/valkey-cache.ts';
import { RealtimeService } from './aws/service/realtime-service.ts';
import type { RealtimeConfig } from './config/groups.ts';

/**
 * The deployment: a realtime service that runs as many instances and behaves as one, and calls beside it. Its parts are
 * public, so that services of your own can stand beside them.
 */
export class RealtimeStack extends Stack {
  readonly network: NetworkPlacement;
  readonly cluster: ICluster;

  /** Where alarms report to. */
  readonly alarmTopic: ITopic;

  /** Undefined: the service runs alone (`backplane` none). */
  readonly redis: Redis | undefined;

  /** The Redis of LiveKit's nodes: `redis` too, but beside a cluster a cache of their own. */
  readonly liveKitRedis: Redis | undefined;

  readonly edge: Edge;
  readonly service: RealtimeService;

  /** LiveKit's API key. Undefined: there are no calls. */
  readonly liveKitKey: LiveKitKey | undefined;

  private readonly config: RealtimeConfig;
  private readonly encryptionKey: IKey | undefined;

  constructor(scope: Construct, id: string, config: RealtimeConfig) {
    const { stackName, region, deletionProtection, bootstrapQualifier, permissionsBoundary } = config;
    super(scope, id, {
      stackName,
      env: { region },
      ...(bootstrapQualifier && {
        synthesizer: new DefaultStackSynthesizer({ qualifier: bootstrapQualifier }),
      }),
      ...(permissionsBoundary && { permissionsBoundary: boundaryOf(permissionsBoundary) }),
      description: 'Realtime Stack: a Socket.IO service that runs as many instances and behaves as one',
      terminationProtection: deletionProtection,
      // The alarms of many shards are long, and CloudFormation takes a megabyte.
      suppressTemplateIndentation: true,
    });
    this.config = config;
    this.encryptionKey = config.kmsKeyArn
      ? Key.fromKeyArn(this, 'EncryptionKey', config.kmsKeyArn)
      : undefined;

    const { topic } = new AlarmTopic(this, 'Alarms', {
      email: config.alarmEmail,
      encryptionKey: this.encryptionKey,
    });
    this.alarmTopic = topic;
    const network = this.createNetwork();
    this.network = network;
    const { cluster } = new Cluster(this, 'Cluster', {
      vpc: network.vpc,
      containerInsights: config.containerInsights,
    });
    this.cluster = cluster;
    const { redis, liveKitCache } = this.createRedis(network, topic);
    this.redis = redis;
    this.liveKitRedis = liveKitCache ?? redis;
    const zone = this.importZone();
    const edge = this.createEdge(network, zone);
    this.edge = edge;
    const shared = { cluster, network, redis, edge, deployment: stackName, ...this.storage };

    const apiKey =
      config.liveKit &&
      new LiveKitKey(this, 'LiveKitKey', { ...this.storage, version: config.liveKit.keyVersion });
    this.liveKitKey = apiKey;
    const service = new RealtimeService(this, 'Service', {
      ...shared,
      ...config.service,
      idleTimeout: Duration.seconds(config.edge.idleTimeoutSeconds),
      drainTime: Duration.seconds(config.service.drainSeconds),
      liveKit: apiKey,
    });
    this.service = service;
    // A cache that the service leaves for a cluster is LiveKit's from then on, and shrinks. It must not do so before.
    liveKitCache?.node.addDependency(service.running);

    const turn = this.createTurn(network, zone);
    const liveKit =
      config.liveKit &&
      apiKey &&
      new LiveKit(this, 'LiveKit', {
        ...shared,
        ...config.liveKit,
        redis: this.liveKitRedis,
        apiKey,
        startAfter: service.running,
        turn,
        notifications: topic,
        maxCallDrain: Duration.minutes(config.liveKit.maxCallDrainMinutes),
        stopTimeout: Duration.minutes(config.liveKit.stopMinutes),
      });
    const agent =
      config.agent &&
      apiKey &&
      liveKit &&
      new Agent(this, 'Agent', {
        ...shared,
        ...config.agent,
        liveKit: {
          url: addressWithin(edge).webSocketUrl,
          ...apiKey.current,
          balancer: edge.internalBalancer && {
            connections: edge.internalBalancer.connections,
            port: internalPort,
          },
        },
        startAfter: liveKit.service,
        maxCallDrain: Duration.minutes(config.agent.maxCallDrainMinutes),
      });

    new Observability(this, 'Observability', {
      topic,
      dashboard: config.dashboard,
      network,
      edge,
      service,
      redis,
      liveKitCache,
      liveKit,
      agent,
    });
    this.tagResources();
    this.addOutputs({ edge, service, turn, topicArn: topic.topicArn });
  }

  /**
   * Zones are selected when the stack is deployed. The CDK would look them up as soon as the account is known, as it is in
   * a stage, and a synthesis would need credentials.
   */
  override get availabilityZones(): string[] {
    return [0, 1].map((index) => Fn.select(index, Fn.getAzs()));
  }

  /** How logs and secrets are stored: with which key, for how long, and what happens to them with the stack. */
  get storage() {
    const { logRetentionDays, removalPolicy } = this.config;
    return {
      encryptionKey: this.encryptionKey,
      logRetention: logRetentionDays,
      // What a deployment that fails has just created goes with it, or each attempt would leave its logs and secrets.
      removalPolicy:
        removalPolicy === 'retain' ? RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE : RemovalPolicy.DESTROY,
    };
  }

  private createNetwork(): NetworkPlacement {
    const { network } = this.config;
    if (network.kind === 'existing') return new ExistingNetwork(this, 'Network', network);
    const { zones, natGateways, endpoints } = network;
    return new Network(this, 'Network', {
      ...this.storage,
      natGateways,
      endpoints,
      // `maxAzs` would give two zones if the account is not known. Selecting them gives the number that is wanted.
      availabilityZones:
        typeof zones === 'number'
          ? Array.from({ length: zones }, (_, index) => Fn.select(index, Fn.getAzs()))
          : zones,
    });
  }

  /** The Redis of the service, and LiveKit's own cache if that is a cluster: LiveKit's scripts reach over slots. */
  private createRedis(network: NetworkPlacement, topic: ITopic) {
    const { redis, removalPolicy } = this.config;
    if (!redis) return {};
    if (redis.kind === 'existing') return { redis: new ExistingRedis(this, 'Redis', redis) };
    const { encryptionKey } = this;
    const { passwordVersion, shards, liveKitNodeType, ...options } = redis;
    const shared = {
      ...options,
      network,
      users: new CacheUsers(this, 'RedisUsers', { passwordVersion, encryptionKey }),
      encryptionKey,
      // With a key the topic is encrypted, and ElastiCache can't write to it.
      notifications: encryptionKey ? undefined : topic,
      snapshotOnDeletion: removalPolicy === 'retain',
    };
    if (shards === 1) return { redis: new ValkeyCache(this, 'Redis', shared) };
    return {
      // ElastiCache can't make a cluster of a single node, and CloudFormation can't change the replicas of a cluster: each is
      // another cache, with another id. Tasks then change over together, and never by a replacement behind one address.
      redis: new ValkeyCache(this, `RedisShardsOf${1 + redis.replicas}`, { ...shared, shards }),
      // It has the id of a single node, so that calls stay where they are when the service moves to a cluster.
      liveKitCache:
        liveKitNodeType === undefined
          ? undefined
          : new ValkeyCache(this, 'Redis', { ...shared, nodeType: liveKitNodeType }),
    };
  }

  private importZone(): IHostedZone | undefined {
    const { hostedZone } = this.config;
    return hostedZone && HostedZone.fromHostedZoneAttributes(this, 'Zone', hostedZone);
  }

  private createEdge(network: NetworkPlacement, hostedZone: IHostedZone | undefined): Edge {
    const { edge, service, liveKit, deletionProtection } = this.config;
    const shared = {
      ...this.storage,
      network,
      deletionProtection,
      idleTimeout: Duration.seconds(edge.idleTimeoutSeconds),
      drainTime: Duration.seconds(service.drainSeconds),
    };
    return edge.kind === 'domain'
      ? new PublicEdge(this, 'Edge', { ...shared, ...edge, hostedZone, internalPath: liveKit !== undefined })
      : new CloudFrontEdge(this, 'Edge', {
          ...shared,
          ...edge,
          domain: edge.domain && { ...edge.domain, hostedZone },
        });
  }

  private createTurn(network: NetworkPlacement, hostedZone: IHostedZone | undefined) {
    const { turn, liveKit, deletionProtection } = this.config;
    if (turn)
      return new TurnBalancer(this, 'Turn', {
        ...this.storage,
        ...turn,
        network,
        hostedZone,
        deletionProtection,
      });
    if (liveKit?.lacksTurnName)
      Annotations.of(this).addWarningV2(
        'realtime-stack:no-turn',
        'Calls have no TURN, so users in networks that let out nothing but HTTPS can’t take part: set `turnDomainName` to a name that `certificateArn` covers too, or `turn` to false.',
      );
    return undefined;
  }

  private tagResources(): void {
    const all = { ...this.config.tags, 'realtime-stack:deployment': this.stackName };
    for (const [key, value] of Object.entries(all))
      Tags.of(this).add(key, value, {
        // CloudFront refuses a change of a VPC origin's tags (409). Tags of the stack itself would reach it, too.
        excludeResourceTypes: ['AWS::CloudFront::VpcOrigin'],
      });
  }

  /** Where the deployment is, how to prove that it works, and where its secrets are. */
  private addOutputs({ edge, service, turn, topicArn }: OutputSources): void {
    const output = (id: string, value: string, description: string) =>
      new CfnOutput(this, id, { value, description });
    output('Url', edge.url, 'Where clients connect');
    output('VerifyCommand', this.verifyCommand(service), 'Proves that the instances behave as one');
    output('AuthSecretId', service.authSecret.secretArn, 'Secret that signs the tokens of users');
    output('ServiceTokenId', service.serviceToken.secretArn, 'Secret with which backends call the HTTP API');
    output('AlarmTopic', topicArn, 'Topic to which the alarms report');
    if (turn) output('TurnName', turn.domainName, 'Name of TURN over TLS, on port 443');
    const { edge: config, hostedZone } = this.config;
    const domainName = config.kind === 'domain' ? config.domainName : config.domain?.domainName;
    if (!domainName || hostedZone) return;
    const target = (id: string, value: string, name: string) =>
      output(id, value, `Target of the DNS record of ${name}`);
    target(config.kind === 'domain' ? 'LoadBalancerName' : 'DistributionName', edge.dnsTarget, domainName);
    if (turn) target('TurnLoadBalancerName', turn.resource.loadBalancerDnsName, turn.domainName);
  }

  private verifyCommand({ authSecret, serviceToken, minTasks }: RealtimeService): string {
    const { region } = this.config;
    // The shell reads the secrets when the command runs, so the output does not contain them.
    const assign = (variable: string, { secretArn }: ISecret) =>
      `${variable}="$(aws secretsmanager get-secret-value --region ${region} --secret-id ${secretArn} --query SecretString --output text)"`;
    return [
      `AWS_REGION=${region}`,
      assign('AUTH_SECRET', authSecret),
      assign('SERVICE_TOKEN', serviceToken),
      `npm run verify -- --stack ${this.stackName} --instances ${minTasks}`,
    ].join(' ');
  }
}

const boundaryOf = (policy: string) =>
  policy.startsWith('arn:') ? PermissionsBoundary.fromArn(policy) : PermissionsBoundary.fromName(policy);

interface OutputSources {
  readonly edge: Edge;
  readonly service: RealtimeService;
  readonly turn: TurnBalancer | undefined;
  readonly topicArn: string;
}

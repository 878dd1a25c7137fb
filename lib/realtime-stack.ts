import { join } from 'node:path';
import { CfnOutput, Duration, Fn, RemovalPolicy, Stack, Tags } from 'aws-cdk-lib';
import { ContainerImage } from 'aws-cdk-lib/aws-ecs';
import { TargetType } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { HostedZone } from 'aws-cdk-lib/aws-route53';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import { defaultPort, paths } from '../app/names.ts';
import { renderAcl, serviceAcl } from '../app/server/redis/acl.ts';
import { liveKitImage } from '../livekit/config/image.ts';
import { liveKitPaths, liveKitPorts } from '../livekit/config/ports.ts';
import { liveKitAcl } from '../livekit/config/redis-acl.ts';
import { Agent } from './aws/agent/agent.ts';
import { App } from './aws/app/app.ts';
import { Backplane } from './aws/backplane/backplane.ts';
import { ExistingRedis } from './aws/backplane/existing-redis.ts';
import { LiveKitKey } from './aws/calls/livekit-key.ts';
import { Cluster } from './aws/cluster/cluster.ts';
import { builtImage, existingImage, sidecarImage } from './aws/cluster/image.ts';
import { CloudFrontEdge } from './aws/edge/cloudfront-edge.ts';
import type { Edge } from './aws/edge/edge.ts';
import { PublicEdge } from './aws/edge/public-edge.ts';
import { architectureOf } from './aws/livekit/host-size.ts';
import { LiveKit } from './aws/livekit/livekit.ts';
import { LiveKitCapacity } from './aws/livekit/livekit-capacity.ts';
import { ExistingNetwork } from './aws/network/existing-network.ts';
import { Network } from './aws/network/network.ts';
import type { Place } from './aws/network/place.ts';
import { AlarmTopic } from './aws/observability/alarm-topic.ts';
import { Observability } from './aws/observability/observability.ts';
import { findAppDirectory } from './config/app-directory.ts';
import { cloudFrontPrefixLists } from './config/cloudfront-regions.ts';
import type { RealtimeConfig } from './config/config.ts';
import { isInferenceProfile } from './config/rules.ts';

/** The deployment: a Socket.IO service that runs as many instances and behaves as one. */
export class RealtimeStack extends Stack {
  private readonly config: RealtimeConfig;
  private readonly whenRemoved: RemovalPolicy;

  constructor(scope: Construct, id: string, config: RealtimeConfig) {
    super(scope, id, {
      stackName: config.stackName,
      env: { region: config.region },
      description: 'Realtime Stack: a Socket.IO service that runs as many instances and behaves as one',
      terminationProtection: config.deletionProtection,
    });
    this.config = config;
    this.whenRemoved = config.removalPolicy === 'retain' ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;

    const place = this.createPlace();
    const { cluster } = new Cluster(this, 'Cluster', {
      vpc: place.vpc,
      containerInsights: config.containerInsights,
    });
    const { topic } = new AlarmTopic(this, 'Alarms', { email: config.alarmEmail });
    const backplane = this.createBackplane(place);
    const existingRedis = this.findRedis();
    const redis = backplane?.addUser('app', renderAcl(serviceAcl(config.stackName))) ?? existingRedis;
    const edge = this.createEdge(place);
    const apiKey =
      config.liveKitNodes > 0
        ? new LiveKitKey(this, 'LiveKitKey', { removalPolicy: this.whenRemoved })
        : undefined;
    const app = new App(this, 'App', {
      cluster,
      place,
      redis,
      image: this.imageOf(config),
      cpuArchitecture: config.cpuArchitecture,
      cpu: config.cpu,
      memoryMiB: config.memoryMiB,
      minTasks: config.minTasks,
      maxTasks: config.maxTasks,
      connectionsPerTask: config.connectionsPerTask,
      deployment: config.stackName,
      idleTimeout: Duration.seconds(config.idleTimeoutSeconds),
      drainTime: Duration.seconds(config.drainSeconds),
      trustedProxyHops: edge.proxyHops,
      guests: config.guests,
      identityProvider: identityProviderOf(config),
      corsOrigins: [...(edge.passesHost ? [] : [edge.url]), ...(config.corsOrigins ?? [])],
      model: modelOf(config),
      liveKit: apiKey && { url: webSocketOf(edge), apiUrl: edge.url, apiKey },
      ecsExec: config.ecsExec,
      logRetention: config.logRetentionDays,
      removalPolicy: this.whenRemoved,
    });
    // A task reads the address and reaches Redis as soon as it starts.
    for (const source of [backplane, existingRedis])
      if (source) app.realtime.service.node.addDependency(source);
    const targets = edge.balancer.route(app.realtime, {
      name: 'Default',
      port: defaultPort,
      readyPath: paths.ready,
    });
    const liveKit =
      apiKey && this.createLiveKit({ cluster, place, edge, topic, apiKey, backplane, existingRedis });
    new Observability(this, 'Observability', {
      topic,
      app,
      targets,
      minTasks: config.minTasks,
      joined: redis !== undefined,
      backplane,
      liveKit: redis && liveKit,
    });

    // CloudFront's origin refuses a change of its tags (409).
    Tags.of(this).add('realtime-stack:deployment', config.stackName, {
      excludeResourceTypes: ['AWS::CloudFront::VpcOrigin'],
    });
    this.tell(edge, app, topic.topicArn);
  }

  private createPlace(): Place {
    const { config } = this;
    if (config.vpcId)
      return new ExistingNetwork(this, 'Network', {
        vpcId: config.vpcId,
        availabilityZones: config.availabilityZones ?? [],
        publicSubnetIds: config.publicSubnetIds,
        privateSubnetIds: config.privateSubnetIds ?? [],
        isolatedSubnetIds: config.isolatedSubnetIds,
      });
    return new Network(this, 'Network', {
      availabilityZones: zonesOf(config),
      natGateways: config.natGateways,
      flowLogRetention: config.logRetentionDays,
      removalPolicy: this.whenRemoved,
    });
  }

  private createBackplane(place: Place): Backplane | undefined {
    const { config } = this;
    if (config.backplane !== 'elasticache') return undefined;
    return new Backplane(this, 'Backplane', {
      place,
      nodeType: config.cacheNodeType,
      engineVersion: config.cacheEngineVersion,
      replicas: config.cacheReplicas,
      shards: config.cacheShards,
      snapshotRetentionDays: config.cacheSnapshotDays,
      maintenanceWindow: config.cacheMaintenanceWindow,
      passwordRound: config.passwordRound,
    });
  }

  private findRedis(): ExistingRedis | undefined {
    const { backplane, redisAddress, redisTls, redisSecurityGroupId, redisSecretArn } = this.config;
    if (backplane !== 'existing') return undefined;
    const [host = '', port = '6379'] = redisAddress?.split(':') ?? [];
    return new ExistingRedis(this, 'Redis', {
      host,
      port: Number(port),
      tls: redisTls,
      securityGroupId: redisSecurityGroupId,
      secretArn: redisSecretArn,
    });
  }

  private createEdge(place: Place): Edge {
    const { config } = this;
    const props = {
      place,
      idleTimeout: Duration.seconds(config.idleTimeoutSeconds),
      drainTime: Duration.seconds(config.drainSeconds),
      deletionProtection: config.deletionProtection,
      removalPolicy: this.whenRemoved,
      webAclRequestsPerAddress: config.waf ? config.wafRequestsPerAddress : undefined,
    };
    if (!config.domainName)
      return new CloudFrontEdge(this, 'Edge', {
        ...props,
        prefixListId: cloudFrontPrefixLists[config.region] as string,
        webAclArn: config.wafWebAclArn,
      });
    return new PublicEdge(this, 'Edge', {
      ...props,
      domainName: config.domainName,
      certificateArn: config.certificateArn,
      hostedZone: this.hostedZone(),
    });
  }

  private hostedZone() {
    const { hostedZoneId, hostedZoneName } = this.config;
    if (!hostedZoneId || !hostedZoneName) return undefined;
    return HostedZone.fromHostedZoneAttributes(this, 'Zone', { hostedZoneId, zoneName: hostedZoneName });
  }

  private createLiveKit(parts: LiveKitParts): LiveKit {
    const { config } = this;
    const { cluster, place, edge, apiKey } = parts;
    const maxNodes = config.liveKitMaxNodes ?? config.liveKitNodes;
    const capacity = new LiveKitCapacity(this, 'LiveKitCapacity', {
      cluster,
      place,
      nodes: config.liveKitNodes,
      maxNodes,
      instanceType: config.liveKitInstanceType,
      terminationProtection: config.deletionProtection,
      notifications: parts.topic,
    });
    capacity.allowSignallingFrom(edge);
    const calls = {
      cluster,
      apiKey,
      deployment: config.stackName,
      maxCallDrain: Duration.minutes(config.maxCallDrainMinutes),
      logRetention: config.logRetentionDays,
      removalPolicy: this.whenRemoved,
    };
    const liveKit = new LiveKit(this, 'LiveKit', {
      ...calls,
      capacity,
      instanceType: config.liveKitInstanceType,
      image: this.liveKitImage(capacity),
      sidecarImage: sidecarImage(liveKitDirectory, architectureOf(config.liveKitInstanceType)),
      redis: this.liveKitRedis(parts),
      minNodes: config.liveKitNodes,
      maxNodes,
      webhookUrl: `${edge.url}${paths.livekitWebhook}`,
      stopTimeout: Duration.minutes(config.liveKitStopMinutes),
    });
    for (const source of [parts.backplane, parts.existingRedis])
      if (source) liveKit.service.node.addDependency(source);
    edge.balancer.route(liveKit.target(), {
      name: 'LiveKit',
      paths: liveKitPaths,
      port: liveKitPorts.signalling,
      targetType: TargetType.INSTANCE,
      readyPath: '/',
      // 406 on every node as soon as Redis is away: they still hold their calls.
      healthyCodes: '200,406',
      unhealthyAfter: { checks: 10, every: Duration.seconds(30) },
      // Meanwhile it still gets new rooms.
      deregistrationDelay: Duration.seconds(30),
      // Any node relays signalling to the one that holds the room.
      sticky: false,
    });
    if (config.agentTasks > 0) {
      const agent = new Agent(this, 'Agent', {
        ...calls,
        place,
        image: builtImage(join(liveKitDirectory, 'agent'), config.cpuArchitecture),
        sidecarImage: sidecarImage(liveKitDirectory, config.cpuArchitecture),
        cpuArchitecture: config.cpuArchitecture,
        minTasks: config.agentTasks,
        maxTasks: config.agentMaxTasks ?? config.agentTasks,
        liveKitUrl: webSocketOf(edge),
      });
      // It is not healthy before LiveKit answers.
      agent.service.node.addDependency(liveKit.service);
    }
    return liveKit;
  }

  private liveKitImage(scope: Construct): ContainerImage {
    const { liveKitImageUri } = this.config;
    return liveKitImageUri
      ? existingImage(scope, liveKitImageUri)
      : ContainerImage.fromRegistry(liveKitImage);
  }

  /** LiveKit's user in an existing Redis is that of the service: its permissions are the owner's. */
  private liveKitRedis({ backplane, existingRedis }: LiveKitParts) {
    if (backplane)
      return {
        access: backplane.addUser('livekit', renderAcl(liveKitAcl())),
        facts: { endpoints: [backplane.endpoint], username: 'livekit', tls: true },
      };
    if (!existingRedis) return undefined;
    // A reference: CloudFormation puts the name in.
    const username = existingRedis.secret?.secretValueFromJson('username').unsafeUnwrap();
    return {
      access: existingRedis,
      facts: {
        endpoints: [existingRedis.endpoint],
        tls: this.config.redisTls,
        ...(username !== undefined && { username }),
      },
    };
  }

  private imageOf({ imageUri, cpuArchitecture }: RealtimeConfig) {
    return imageUri ? existingImage(this, imageUri) : builtImage(findAppDirectory(), cpuArchitecture);
  }

  private tell(edge: Edge, app: App, topicArn: string): void {
    const { config } = this;
    const verify = [
      `AWS_REGION=${config.region}`,
      this.revealing('AUTH_SECRET', app.authSecret),
      this.revealing('SERVICE_TOKEN', app.serviceToken),
      `npm run verify -- --stack ${config.stackName} --instances ${config.minTasks}`,
    ];
    this.output('Url', edge.url, 'Where clients connect');
    this.output('VerifyCommand', verify.join(' '), 'Proves that the instances behave as one');
    this.output('AuthSecretId', app.authSecret.secretArn, 'Secret that signs the tokens of users');
    this.output('ServiceTokenId', app.serviceToken.secretArn, 'Secret that backends show to the HTTP API');
    this.output('AlarmTopic', topicArn, 'Topic that the alarms tell');
    if (config.domainName && !config.hostedZoneId)
      this.output(
        'LoadBalancerName',
        edge.balancer.resource.loadBalancerDnsName,
        `Target of the DNS record of ${config.domainName}`,
      );
  }

  /** A shell's assignment that asks Secrets Manager when it is typed: the value stands in no output. */
  private revealing(variable: string, { secretArn }: ISecret): string {
    const { region } = this.config;
    return `${variable}="$(aws secretsmanager get-secret-value --region ${region} --secret-id ${secretArn} --query SecretString --output text)"`;
  }

  private output(id: string, value: string, description: string): void {
    new CfnOutput(this, id, { value, description });
  }
}

interface LiveKitParts {
  readonly cluster: Cluster['cluster'];
  readonly place: Place;
  readonly edge: Edge;
  readonly topic: ITopic;
  readonly apiKey: LiveKitKey;
  readonly backplane: Backplane | undefined;
  readonly existingRedis: ExistingRedis | undefined;
}

const liveKitDirectory = join(import.meta.dirname, '..', 'livekit');

const webSocketOf = ({ url }: Edge) => url.replace(/^http/, 'ws');

/** `maxAzs` would give two zones where the account is not known; selecting them gives as many as are asked for. */
function zonesOf({ availabilityZones, availabilityZoneCount }: RealtimeConfig): string[] {
  return (
    availabilityZones ??
    Array.from({ length: availabilityZoneCount }, (_, index) => Fn.select(index, Fn.getAzs()))
  );
}

function modelOf({ modelProvider, modelId, modelRegions }: RealtimeConfig) {
  if (modelProvider !== 'bedrock' || !modelId) return undefined;
  return { id: modelId, profileRegions: isInferenceProfile(modelId) ? modelRegions : undefined };
}

function identityProviderOf({ authJwksUrl, authIssuer, authAudience }: RealtimeConfig) {
  return authJwksUrl === undefined
    ? undefined
    : { jwksUrl: authJwksUrl, issuer: authIssuer, audience: authAudience };
}

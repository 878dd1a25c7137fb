import { cloudFrontPrefixLists } from './cloudfront-regions.ts';
import type { Knobs } from './knobs.ts';
import { secretReference } from './readers.ts';

/**
 * The configuration of the stack: the knobs, checked and derived once into a group for each part. A group that is
 * undefined means that the stack has no such part.
 */
export type RealtimeConfig = Readonly<ReturnType<typeof groupKnobs>>;

/** CPU of a handshake (lib/cost/measured.json) allows all clients of a lost task to reconnect within 3 s. */
export const connectionsPerVcpu = 5_000;

/** Derives the groups. Every question that two parts share, such as TURN's name, is answered here and only here. */
export function groupKnobs(knobs: Knobs) {
  return {
    stackName: knobs.stackName,
    region: knobs.region,
    containerInsights: knobs.containerInsights,
    alarmEmail: knobs.alarmEmail,
    dashboard: knobs.dashboard,
    deletionProtection: knobs.deletionProtection,
    logRetentionDays: knobs.logRetentionDays,
    removalPolicy: knobs.removalPolicy,
    kmsKeyArn: knobs.kmsKeyArn,
    tags: knobs.tags ?? {},
    permissionsBoundary: knobs.permissionsBoundary,
    bootstrapQualifier: knobs.bootstrapQualifier,
    network: networkOf(knobs),
    /** The zone in which certificates are validated and DNS records are created. */
    hostedZone: hostedZoneOf(knobs),
    redis: redisOf(knobs),
    edge: edgeOf(knobs),
    service: serviceOf(knobs),
    liveKit: liveKitOf(knobs),
    turn: turnOf(knobs),
    agent: agentOf(knobs),
  };
}

function networkOf(knobs: Knobs) {
  if (knobs.vpcId)
    return {
      kind: 'existing' as const,
      vpcId: knobs.vpcId,
      availabilityZones: knobs.availabilityZones ?? [],
      publicSubnetIds: knobs.publicSubnetIds,
      privateSubnetIds: knobs.privateSubnetIds ?? [],
      isolatedSubnetIds: knobs.isolatedSubnetIds,
    };
  return {
    kind: 'new' as const,
    /** Names, or the number of zones if none is named. */
    zones: knobs.availabilityZones ?? knobs.availabilityZoneCount,
    natGateways: knobs.natGateways,
    endpoints: endpointsOf(knobs),
  };
}

/** The services of AWS that tasks call. S3, where image layers are, has a gateway endpoint in any case. */
function endpointsOf({ privateLink, modelProvider, ecsExec }: Knobs): string[] {
  if (!privateLink) return [];
  const always = ['ecr.api', 'ecr.dkr', 'ecs', 'logs', 'secretsmanager', 'ssm'];
  return [
    ...always,
    ...(modelProvider === 'bedrock' ? ['bedrock-runtime'] : []),
    ...(ecsExec ? ['ssmmessages'] : []),
  ];
}

function redisOf(knobs: Knobs) {
  if (knobs.backplane === 'none') return undefined;
  if (knobs.backplane === 'elasticache' || knobs.backplane === 'bypassed')
    return {
      kind: 'elasticache' as const,
      shards: knobs.cacheShards,
      nodeType: knobs.cacheNodeType,
      engineVersion: knobs.cacheEngineVersion,
      replicas: knobs.cacheReplicas,
      failsOver: knobs.cacheFailover ?? knobs.cacheReplicas > 0,
      snapshotRetentionDays: knobs.cacheSnapshotDays,
      maintenanceWindow: knobs.cacheMaintenanceWindow,
      passwordVersion: knobs.passwordVersion,
      liveKitNodeType: liveKitNodeTypeOf(knobs),
    };
  const [host = '', port = '6379'] = knobs.redisAddress?.split(':') ?? [];
  return {
    kind: 'existing' as const,
    host,
    port: Number(port),
    tls: knobs.redisTls,
    securityGroupId: knobs.redisSecurityGroupId,
    secretArn: knobs.redisSecretArn,
    secretForm: knobs.redisSecretForm,
    kmsKeyArn: knobs.secretsKmsKeyArn,
  };
}

/** LiveKit keeps who is in which room, and little of it: the smallest node that has memory to spare. */
export const smallCache = 'cache.t4g.small';

/** Node type of LiveKit's own cache; undefined if it shares the service's, or there is no LiveKit. */
function liveKitNodeTypeOf({ cacheShards, liveKitNodes, ...knobs }: Knobs): string | undefined {
  if (cacheShards === 1 || liveKitNodes === 0) return undefined;
  const isBurstable = /^cache\.t/.test(knobs.cacheNodeType);
  return knobs.liveKitCacheNodeType ?? (isBurstable ? knobs.cacheNodeType : smallCache);
}

function edgeOf(knobs: Knobs) {
  const shared = {
    idleTimeoutSeconds: knobs.idleTimeoutSeconds,
    webAclRequestsPerAddress: knobs.waf ? knobs.wafRequestsPerAddress : undefined,
  };
  const { domainName, certificateArn } = knobs;
  if (domainName && !usesCloudFront(knobs))
    return { kind: 'domain' as const, ...shared, domainName, certificateArn };
  return {
    kind: 'cloudfront' as const,
    ...shared,
    /** A name of one's own beside the one that CloudFront gives. */
    domain: domainName ? { domainName, certificateArn } : undefined,
    // A rule refuses CloudFront in a region that is not in this table.
    prefixListId: cloudFrontPrefixLists[knobs.region] as string,
    webAclArn: knobs.wafWebAclArn,
  };
}

/** CloudFront stands before the load balancer if there is no domain, or if it is asked for. */
export const usesCloudFront = ({
  cloudFront,
  domainName,
}: Pick<Knobs, 'cloudFront' | 'domainName'>): boolean => cloudFront ?? domainName === undefined;

function hostedZoneOf({ hostedZoneId, hostedZoneName }: Knobs) {
  return hostedZoneId && hostedZoneName ? { hostedZoneId, zoneName: hostedZoneName } : undefined;
}

function serviceOf(knobs: Knobs) {
  const { minTasks, cpu, environment, backplane, authJwksUrl } = knobs;
  const bypassesRedis = backplane === 'bypassed';
  const staysSmall = bypassesRedis || backplane === 'none' || environment === 'dev';
  return {
    imageUri: knobs.imageUri,
    bypassesRedis,
    cpuArchitecture: knobs.cpuArchitecture,
    cpu,
    memoryMiB: knobs.memoryMiB,
    minTasks,
    recreateTasks: knobs.recreateTasks ?? false,
    maxTasks: knobs.maxTasks ?? (staysSmall ? minTasks : 4 * minTasks),
    connectionsPerTask:
      knobs.connectionsPerTask ?? Math.max(10, Math.round((cpu / 1024) * connectionsPerVcpu)),
    drainSeconds: knobs.drainSeconds,
    ecsExec: knobs.ecsExec,
    guests: knobs.guests,
    corsOrigins: knobs.corsOrigins,
    identityProvider: authJwksUrl
      ? {
          jwksUrl: authJwksUrl,
          issuer: knobs.authIssuer,
          audience: knobs.authAudience,
          subjectClaim: knobs.authSubjectClaim,
          nameClaim: knobs.authNameClaim,
        }
      : undefined,
    model: modelOf(knobs),
    mainHub: knobs.mainHub,
    bridges: bridgesOf(knobs),
    roomLog: {
      messages: knobs.roomLogMessages,
      bytes: knobs.roomLogBytes,
      seconds: knobs.roomLogSeconds,
      metaSeconds: knobs.roomMetaSeconds,
    },
  };
}

/** As the service reads them; undefined if nothing is bridged. */
function bridgesOf(knobs: Knobs) {
  const { pythonSocketio, emitter } = knobs;
  if (pythonSocketio === undefined && emitter === undefined) return undefined;
  return {
    python: pythonSocketio,
    pythonChannel: knobs.pythonSocketioChannel,
    pythonVersion: knobs.pythonSocketioVersion,
    emitter,
    emitterPrefix: knobs.emitterPrefix,
  };
}

function modelOf({ modelProvider, modelId, modelRegions }: Knobs) {
  if (modelProvider !== 'bedrock' || !modelId) return undefined;
  return { id: modelId, profileRegions: isInferenceProfile(modelId) ? modelRegions : undefined };
}

/** `eu.amazon.nova-lite-v1:0` runs in several regions, `amazon.nova-lite-v1:0` in the stack's own. */
export const isInferenceProfile = (modelId: string): boolean =>
  /^(us|us-gov|eu|apac|ap|jp|au|ca|sa|global)\./.test(modelId);

function liveKitOf(knobs: Knobs) {
  const { liveKitNodes, liveKitMaxNodes = liveKitNodes } = knobs;
  if (liveKitNodes === 0) return undefined;
  return {
    minTasks: liveKitNodes,
    maxTasks: liveKitMaxNodes,
    capacity:
      knobs.liveKitCapacity === 'ec2'
        ? {
            kind: 'ec2' as const,
            instanceType: knobs.liveKitInstanceType,
            terminationProtection: knobs.deletionProtection,
          }
        : {
            kind: 'fargate' as const,
            cpuArchitecture: knobs.cpuArchitecture,
            cpu: knobs.liveKitCpu,
            memoryMiB: knobs.liveKitMemoryMiB,
          },
    keyVersion: knobs.liveKitKeyVersion,
    imageUri: knobs.liveKitImageUri,
    settings: knobs.liveKitSettings,
    sidecarImageUri: knobs.sidecarImageUri,
    maxCallDrainMinutes: knobs.maxCallDrainMinutes,
    stopMinutes: knobs.liveKitStopMinutes,
    /** TURN is wanted, and there is a domain, but no certificate can cover a name for it. */
    lacksTurnName: knobs.turn && knobs.domainName !== undefined && turnNameOf(knobs) === undefined,
  };
}

function turnOf(knobs: Knobs) {
  const domainName = turnNameOf(knobs);
  if (!knobs.turn || knobs.liveKitNodes === 0 || !domainName) return undefined;
  // `certificateArn` need not cover TURN's name: in a hosted zone, TURN gets a certificate of its own.
  return { domainName, certificateArn: hostedZoneOf(knobs) ? undefined : knobs.certificateArn };
}

/** TURN needs a name of its own, and a certificate for it. */
function turnNameOf({ domainName, turnDomainName, hostedZoneId }: Knobs): string | undefined {
  if (!domainName) return undefined;
  return turnDomainName ?? (hostedZoneId ? `turn.${domainName}` : undefined);
}

function agentOf(knobs: Knobs) {
  const { liveKitNodes, agentTasks, agentMaxTasks = agentTasks } = knobs;
  if (liveKitNodes === 0 || agentTasks === 0) return undefined;
  return {
    cpuArchitecture: knobs.cpuArchitecture,
    minTasks: agentTasks,
    maxTasks: agentMaxTasks,
    callsPerTask: knobs.agentCallsPerTask,
    imageUri: knobs.agentImageUri,
    sidecarImageUri: knobs.sidecarImageUri,
    healthCommand: knobs.agentHealthCommand,
    readOnlyRoot: knobs.agentReadOnlyRoot,
    environment: knobs.agentEnvironment,
    secrets: secretsOf(knobs.agentSecrets),
    secretsKmsKeyArn: knobs.secretsKmsKeyArn,
    maxCallDrainMinutes: knobs.maxCallDrainMinutes,
    voice: voiceOf(knobs),
  };
}

/** Each variable with the secret, and the field of its JSON, that it takes its value from. */
function secretsOf(given: Knobs['agentSecrets'] = {}) {
  return Object.entries(given).map(([variable, reference]) => {
    const [, arn = '', field] = secretReference.exec(reference) ?? [];
    return { variable, arn, field };
  });
}

function voiceOf({ agentMode, voiceApiSecretArn, ...knobs }: Knobs) {
  if (agentMode !== 'voice' || !voiceApiSecretArn) return undefined;
  return {
    apiSecretArn: voiceApiSecretArn,
    apiUrl: knobs.voiceApiUrl,
    speechToTextModel: knobs.voiceSpeechToTextModel,
    languageModel: knobs.voiceLanguageModel,
    textToSpeechModel: knobs.voiceTextToSpeechModel,
    voice: knobs.voiceName,
    instructions: knobs.voiceInstructions,
  };
}

import { join } from 'node:path';
import { Annotations, Duration } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import { paths } from '../../app/names.ts';
import { liveKitPaths, liveKitPorts, turnPorts } from '../../livekit/config/ports.ts';
import { Agent, type Voice } from '../aws/agent/agent.ts';
import type { LiveKitKey } from '../aws/calls/livekit-key.ts';
import type { Cluster } from '../aws/cluster/cluster.ts';
import { builtImage, existingImage, sidecarImage } from '../aws/cluster/image.ts';
import type { Edge } from '../aws/edge/edge.ts';
import type { TurnBalancer } from '../aws/edge/turn-balancer.ts';
import type { LiveKitCapacity } from '../aws/livekit/capacity.ts';
import { Ec2Capacity } from '../aws/livekit/ec2-capacity.ts';
import { FargateCapacity } from '../aws/livekit/fargate-capacity.ts';
import { LiveKit } from '../aws/livekit/livekit.ts';
import type { Place } from '../aws/network/place.ts';
import type { RealtimeConfig } from '../config/config.ts';
import { createTurnBalancer, turnDomainOf, webSocketOf } from './edge.ts';
import type { Redis } from './redis.ts';
import { removalPolicyOf } from './removal.ts';

export interface CallParts {
  readonly cluster: Cluster['cluster'];
  readonly place: Place;
  readonly edge: Edge;
  readonly topic: ITopic;
  readonly apiKey: LiveKitKey;
  readonly redis: Redis | undefined;
}

export interface Calls {
  readonly liveKit: LiveKit;
  readonly turn: TurnBalancer | undefined;
  readonly agent: Agent | undefined;
}

const liveKitDirectory = join(import.meta.dirname, '..', '..', 'livekit');

/** LiveKit's nodes behind the edge, TURN where there is a name for it, and the voice agent. */
export function createCalls(scope: Construct, config: RealtimeConfig, parts: CallParts): Calls {
  const capacity = createCapacity(scope, config, parts);
  const liveKit = createLiveKit(scope, config, capacity, parts);
  route(liveKit, capacity, parts.edge);
  const turn = relay(scope, config, liveKit, capacity, parts);
  const agent = config.agentTasks > 0 ? createAgent(scope, config, parts) : undefined;
  // It is not healthy before LiveKit answers.
  agent?.service.node.addDependency(liveKit.service);
  return { liveKit, turn, agent };
}

function createCapacity(scope: Construct, config: RealtimeConfig, parts: CallParts): LiveKitCapacity {
  const { cluster, place, topic } = parts;
  const turn = turnDomainOf(config) !== undefined;
  if (config.liveKitCapacity === 'fargate')
    return new FargateCapacity(scope, 'LiveKitFargate', {
      place,
      turn,
      cpuArchitecture: config.cpuArchitecture,
      cpu: config.liveKitCpu,
      memoryMiB: config.liveKitMemoryMiB,
    });
  return new Ec2Capacity(scope, 'LiveKitCapacity', {
    cluster,
    place,
    turn,
    nodes: config.liveKitNodes,
    maxNodes: maxNodesOf(config),
    instanceType: config.liveKitInstanceType,
    terminationProtection: config.deletionProtection,
    notifications: topic,
  });
}

function createLiveKit(
  scope: Construct,
  config: RealtimeConfig,
  capacity: LiveKitCapacity,
  parts: CallParts,
): LiveKit {
  const { edge, redis } = parts;
  const liveKit = new LiveKit(scope, 'LiveKit', {
    ...keptCalls(config, parts),
    capacity,
    image: config.liveKitImageUri
      ? existingImage(scope, config.liveKitImageUri)
      : builtImage(join(liveKitDirectory, 'server'), capacity.cpuArchitecture),
    sidecarImage: sidecarImage(liveKitDirectory, capacity.cpuArchitecture),
    redis: redis?.accessOfLiveKit(),
    minNodes: config.liveKitNodes,
    maxNodes: maxNodesOf(config),
    webhookUrl: `${edge.url}${paths.livekitWebhook}`,
    turnDomain: turnDomainOf(config),
    stopTimeout: Duration.minutes(config.liveKitStopMinutes),
  });
  if (redis) liveKit.service.node.addDependency(redis.source);
  return liveKit;
}

function route(liveKit: LiveKit, { targetType }: LiveKitCapacity, edge: Edge): void {
  liveKit.allowSignallingFrom(edge);
  edge.balancer.route(liveKit.target(), {
    name: 'LiveKit',
    paths: liveKitPaths,
    port: liveKitPorts.signalling,
    targetType,
    readyPath: '/',
    // 406 on every node as soon as Redis is away: they still hold their calls.
    healthyCodes: '200,406',
    unhealthyAfter: { checks: 10, every: Duration.seconds(30) },
    // Meanwhile it still gets new rooms.
    deregistrationDelay: Duration.seconds(30),
    // Any node relays signalling to the one that holds the room.
    sticky: false,
  });
}

function relay(
  scope: Construct,
  config: RealtimeConfig,
  liveKit: LiveKit,
  { targetType }: LiveKitCapacity,
  { place }: CallParts,
): TurnBalancer | undefined {
  const domainName = turnDomainOf(config);
  if (domainName === undefined) {
    warnWithoutTurn(scope, config);
    return undefined;
  }
  const balancer = createTurnBalancer(scope, config, place, domainName);
  liveKit.allowTurnFrom(balancer);
  balancer.route({ target: liveKit.turnTarget(), targetType, port: turnPorts.tls });
  return balancer;
}

function warnWithoutTurn(scope: Construct, { turn, domainName, certificateArn }: RealtimeConfig): void {
  if (!turn || !domainName || !certificateArn) return;
  Annotations.of(scope).addWarningV2(
    'realtime-stack:no-turn',
    'Calls have no TURN, and networks that let nothing but HTTPS out keep their users out of them: set `turnDomainName` to a name that `certificateArn` covers too, or `turn` to false.',
  );
}

function createAgent(scope: Construct, config: RealtimeConfig, parts: CallParts): Agent {
  return new Agent(scope, 'Agent', {
    ...keptCalls(config, parts),
    place: parts.place,
    image: builtImage(join(liveKitDirectory, 'agent'), config.cpuArchitecture),
    sidecarImage: sidecarImage(liveKitDirectory, config.cpuArchitecture),
    cpuArchitecture: config.cpuArchitecture,
    minTasks: config.agentTasks,
    maxTasks: config.agentMaxTasks ?? config.agentTasks,
    callsPerTask: config.agentCallsPerTask,
    voice: voiceOf(scope, config),
    liveKitUrl: webSocketOf(parts.edge),
  });
}

function voiceOf(scope: Construct, config: RealtimeConfig): Voice | undefined {
  const { agentMode, voiceApiSecretArn } = config;
  if (agentMode !== 'voice' || !voiceApiSecretArn) return undefined;
  return {
    apiKey: Secret.fromSecretCompleteArn(scope, 'VoiceApiKey', voiceApiSecretArn),
    apiUrl: config.voiceApiUrl,
    speechToTextModel: config.voiceSpeechToTextModel,
    languageModel: config.voiceLanguageModel,
    textToSpeechModel: config.voiceTextToSpeechModel,
    voice: config.voiceName,
    instructions: config.voiceInstructions,
  };
}

/** What nodes and agents, whose tasks are kept for their calls, have in common. */
function keptCalls(config: RealtimeConfig, { cluster, apiKey }: CallParts) {
  return {
    cluster,
    apiKey,
    deployment: config.stackName,
    maxCallDrain: Duration.minutes(config.maxCallDrainMinutes),
    logRetention: config.logRetentionDays,
    removalPolicy: removalPolicyOf(config),
  };
}

function maxNodesOf({ liveKitMaxNodes, liveKitNodes }: RealtimeConfig): number {
  return liveKitMaxNodes ?? liveKitNodes;
}

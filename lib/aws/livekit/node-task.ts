import { Duration } from 'aws-cdk-lib';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import type * as kms from 'aws-cdk-lib/aws-kms';
import type * as logs from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { paths } from '../../../app/names.ts';
import { nodeEntrypoint, nodeHealthCheck } from '../../../livekit/config/container.ts';
import { liveKitEnvironment } from '../../../livekit/config/environment.ts';
import { liveKitPorts, turnPorts } from '../../../livekit/config/ports.ts';
import { renderLiveKit } from '../../../livekit/config/render.ts';
import type { LiveKitSettings } from '../../../livekit/config/settings.ts';
import { sidecarEnvironment } from '../../../livekit/sidecar/names.ts';
import { containerImage } from '../ecs/image.ts';
import { acknowledgeTaskDefinition, decryptAtStart } from '../ecs/service-options.ts';
import { addTaskProtection } from '../ecs/task-protection.ts';
import { addressWithin, type Edge } from '../edge/edge.ts';
import type { TurnBalancer } from '../edge/turn-balancer.ts';
import type { RedisAccess } from '../redis/redis.ts';
import type { LiveKitCapacity } from './capacity.ts';
import type { LiveKitKey } from './livekit-key.ts';

/** Settings of LiveKit that the owner may choose. */
export interface RoomSettings
  extends NonNullable<LiveKitSettings['room']>,
    NonNullable<LiveKitSettings['limits']> {
  /** More URLs to which LiveKit posts events of rooms. */
  readonly webhookUrls?: readonly string[];
}

/** What a node runs with. */
export interface NodeTaskProps {
  readonly cluster: ecs.Cluster;

  /**
   * An image of livekit-server.
   * @default - LiveKit's own (livekit/server/Dockerfile)
   */
  readonly imageUri?: string;

  /**
   * An image of the sidecar.
   * @default - built from livekit/sidecar/Dockerfile
   */
  readonly sidecarImageUri?: string;

  /**
   * Limits and timeouts of rooms, and more receivers of LiveKit's events beside the service.
   * @default - LiveKit's defaults, and no other receiver
   */
  readonly settings?: RoomSettings;

  readonly apiKey: LiveKitKey;

  /** The address of the deployment. It sends LiveKit's paths to the nodes. */
  readonly edge: Edge;

  /**
   * The load balancer that terminates TLS for TURN.
   * @default - the nodes relay no media
   */
  readonly turn?: TurnBalancer;

  /** Value of the metric dimension `Deployment`. */
  readonly deployment: string;

  /** How long a superseded node may keep its calls; at most 150 minutes together with `stopTimeout`. */
  readonly maxCallDrain: Duration;

  /**
   * The customer's KMS key with which the log and the stack’s secrets are encrypted.
   * @default - AWS’s own key
   */
  readonly encryptionKey?: kms.IKey;
}

/** What the construct of the nodes makes for their task. */
export interface NodeTaskParts {
  readonly capacity: LiveKitCapacity;
  /** With the nodes' user. Undefined: there is one node. */
  readonly redis: RedisAccess | undefined;
  /** Time from SIGTERM to SIGKILL. */
  readonly stopTimeout: Duration;
  readonly logGroup: logs.ILogGroup;
}

export const nodeContainerName = 'livekit';

/** The variables that bring each version of the API key's secret into the container. */
const secretVariables = {
  previous: 'LIVEKIT_API_SECRET_PREVIOUS',
  current: 'LIVEKIT_API_SECRET',
  next: 'LIVEKIT_API_SECRET_NEXT',
} as const;
const keyVersions = ['previous', 'current', 'next'] as const;

/** LiveKit reads its keys from one variable of YAML, a line for each, so the command builds it from the secrets. */
function exportKeys(key: LiveKitKey): string {
  const lines = keyVersions.map((version) => `${key[version].name}: $${secretVariables[version]}`);
  return [
    `export ${liveKitEnvironment.keys}="${lines.join('\n')}"`,
    `unset ${Object.values(secretVariables).join(' ')}`,
  ].join('\n');
}

/** The task of one node: LiveKit, and the sidecar that protects it while it has calls. */
export function defineNodeTask(
  scope: Construct,
  props: NodeTaskProps,
  parts: NodeTaskParts,
): ecs.TaskDefinition {
  const { apiKey } = props;
  const { capacity, redis, stopTimeout } = parts;
  const task = capacity.defineTask(scope, 'Task');
  const shared = {
    environment: { [liveKitEnvironment.config]: renderConfig(props, redis) },
    secrets: redisPassword(redis),
  };
  const node = task.addContainer(nodeContainerName, {
    ...shared,
    image: containerImage(scope, 'liveKitServer', capacity.cpuArchitecture, props.imageUri),
    entryPoint: ['sh', '-c'],
    command: [`${exportKeys(apiKey)}\n${nodeEntrypoint()}`],
    user: '1000',
    readonlyRootFilesystem: true,
    ...capacity.nodeSize,
    portMappings: tcpPorts(props).map((port) => ({ containerPort: port, hostPort: port })),
    secrets: {
      ...shared.secrets,
      ...Object.fromEntries(
        keyVersions.map((version) => [secretVariables[version], apiKey[version].apiSecret]),
      ),
    },
    healthCheck: {
      command: nodeHealthCheck(liveKitPorts.signalling),
      interval: Duration.seconds(10),
      timeout: Duration.seconds(5),
      retries: 5,
      // The node starts only when it knows its public address.
      startPeriod: Duration.seconds(120),
    },
    stopTimeout,
    logging: logging(parts, nodeContainerName),
  });
  node.addUlimits({ name: ecs.UlimitName.NOFILE, softLimit: 65_535, hardLimit: 65_535 });
  addTaskProtection(task, node, {
    cluster: props.cluster,
    cpuArchitecture: capacity.cpuArchitecture,
    sidecarImageUri: props.sidecarImageUri,
    logging: logging(parts, 'sidecar'),
    deployment: props.deployment,
    maxCallDrain: props.maxCallDrain,
    environment: { ...shared.environment, [sidecarEnvironment.publicAddress]: capacity.addressSource },
    secrets: shared.secrets,
  });
  decryptAtStart(task, props.encryptionKey?.keyArn);
  acknowledgeTaskDefinition(task);
  return task;
}

function tcpPorts({ turn }: NodeTaskProps): number[] {
  const { signalling, mediaTcp } = liveKitPorts;
  return [signalling, mediaTcp, ...(turn ? [turnPorts.tls] : [])];
}

function renderConfig(props: NodeTaskProps, redis: RedisAccess | undefined): string {
  const { edge, apiKey, turn, settings: { webhookUrls = [], ...rooms } = {} } = props;
  return renderLiveKit({
    address: { kind: 'environment' },
    ...(redis && {
      redis: {
        endpoints: [redis.endpoint],
        tls: redis.tls,
        ...(redis.username !== undefined && { username: redis.username }),
      },
    }),
    webhook: {
      urls: [`${addressWithin(edge).url}${paths.liveKitWebhook}`, ...webhookUrls],
      apiKey: apiKey.current.name,
    },
    room: rooms,
    limits: rooms,
    ...(turn && { turn: { domain: turn.domainName } }),
  });
}

function logging({ logGroup }: NodeTaskParts, streamPrefix: string): ecs.LogDriver {
  return ecs.LogDrivers.awsLogs({ streamPrefix, logGroup });
}

function redisPassword(access: RedisAccess | undefined): Record<string, ecs.Secret> {
  if (!access?.secret) return {};
  return {
    [liveKitEnvironment.redisPassword]: ecs.Secret.fromSecretsManager(access.secret, access.passwordField),
  };
}

import { Duration } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { defaultPort, paths } from '../../app/names.ts';
import { App } from '../aws/app/app.ts';
import type { RedisAccess } from '../aws/backplane/redis-access.ts';
import type { LiveKitKey } from '../aws/calls/livekit-key.ts';
import type { Cluster } from '../aws/cluster/cluster.ts';
import { builtImage, existingImage } from '../aws/cluster/image.ts';
import type { Edge } from '../aws/edge/edge.ts';
import type { Place } from '../aws/network/place.ts';
import { findAppDirectory } from '../config/app-directory.ts';
import type { RealtimeConfig } from '../config/config.ts';
import { isInferenceProfile } from '../config/rules.ts';
import { webSocketOf } from './edge.ts';
import { removalPolicyOf } from './removal.ts';

export interface ServiceParts {
  readonly cluster: Cluster['cluster'];
  readonly place: Place;
  readonly edge: Edge;
  readonly redis: RedisAccess | undefined;
  readonly apiKey: LiveKitKey | undefined;
}

/** The Socket.IO service. */
export function createService(scope: Construct, config: RealtimeConfig, parts: ServiceParts): App {
  const { cluster, place, edge, redis, apiKey } = parts;
  return new App(scope, 'App', {
    cluster,
    place,
    redis,
    image: config.imageUri
      ? existingImage(scope, config.imageUri)
      : builtImage(findAppDirectory(), config.cpuArchitecture),
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
    removalPolicy: removalPolicyOf(config),
  });
}

/** What no other route takes goes to the service. */
export function routeToService(edge: Edge, app: App) {
  return edge.balancer.route(app.realtime, { name: 'Default', port: defaultPort, readyPath: paths.ready });
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

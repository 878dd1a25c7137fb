import type { Duration } from 'aws-cdk-lib';
import { metricNamespace } from '../../../app/metric-names.ts';
import { defaultPort, environmentNames as names } from '../../../app/names.ts';
import { addressWithin, type Edge } from '../edge/edge.ts';
import type { RedisAccess } from '../redis/redis.ts';
import type { BedrockModel } from './bedrock-model.ts';
import { type BridgesConfig, environmentOfBridges } from './bridges.ts';

/** What the service's processes are configured with. */
export interface ServiceVariables {
  /** The address of the deployment. Requests that no other route takes go to this service. */
  readonly edge: Edge;

  /** Prefix of the service's keys and channels in Redis, and value of the metric dimension `Deployment`. */
  readonly deployment: string;

  /** The load balancer's idle timeout. The service keeps its connections alive for longer. */
  readonly idleTimeout: Duration;

  /** Time over which a task that leaves sends its clients to the others. */
  readonly drainTime: Duration;

  /** `/api/session` gives a guest's token to anyone who asks. */
  readonly guests: boolean;

  /**
   * An identity provider whose tokens are accepted.
   * @default - tokens that the stack's own secret signs, and no others
   */
  readonly identityProvider?: IdentityProvider;

  /**
   * Origins of pages on other hosts that may connect.
   * @default - the service's own page
   */
  readonly corsOrigins?: readonly string[];

  /**
   * Bedrock model that replies in the llm hub.
   * @default - the offline model
   */
  readonly model?: BedrockModel;

  /**
   * The hub `main` is served at Socket.IO's namespace `/`.
   * @default false
   */
  readonly mainHub?: boolean;

  /**
   * Other programs' Socket.IO servers and emitters on the same Redis, to which hubs are joined.
   * @default - none
   */
  readonly bridges?: BridgesConfig;

  /**
   * How much of each room is kept, and for how long.
   * @default - as the service's own defaults (app/server/rooms/log/retention.ts)
   */
  readonly roomLog?: RoomLogRetention;
}

export interface IdentityProvider {
  /** Where it publishes the keys of its tokens. */
  readonly jwksUrl: string;

  /** @default - any issuer */
  readonly issuer?: string;

  /** @default - any audience */
  readonly audience?: string;

  /**
   * The claim that says who the user is.
   * @default - sub
   */
  readonly subjectClaim?: string;

  /**
   * The claim that says what to call the user.
   * @default - name
   */
  readonly nameClaim?: string;
}

/** The service's own default holds for each value that is undefined. */
export interface RoomLogRetention {
  /** Messages of a room that are kept. */
  readonly messages?: number;

  /** Bytes of message text of a room that are kept. */
  readonly bytes?: number;

  /** Seconds for which a message is kept. */
  readonly seconds?: number;

  /** Seconds for which a room's epochs are kept after its last use. */
  readonly metaSeconds?: number;
}

/** Port on which tasks relay to each other what belongs to another one's session. No load balancer reaches it. */
export const relayPort = 3100;

/** Port of `/metrics` and `/instance`. No security group opens it; a shell in a task reaches it. */
const adminPort = 9464;

interface EnvironmentProps extends ServiceVariables {
  /** The service signs tokens for calls. */
  readonly hasCalls: boolean;
}

/** Every environment variable of the service that is no secret. Variables that are undefined are left out. */
export function environmentOf(
  props: EnvironmentProps,
  redis: RedisAccess | undefined,
  bridges: RedisAccess | undefined,
): Record<string, string> {
  const { edge, identityProvider, model, hasCalls, roomLog } = props;
  // Behind CloudFront the service does not see the name that the browser asked for, so it needs its own origin.
  const origins = [...(edge.passesHost ? [] : [edge.url]), ...(props.corsOrigins ?? [])];
  const variables: Record<string, string | number | boolean | undefined> = {
    [names.port]: defaultPort,
    [names.host]: '0.0.0.0',
    [names.deployment]: props.deployment,
    [names.idleTimeoutSeconds]: props.idleTimeout.toSeconds(),
    [names.drainSeconds]: props.drainTime.toSeconds(),
    [names.trustedProxyHops]: edge.proxyHops,
    [names.adminPort]: adminPort,
    [names.relayPort]: redis ? relayPort : undefined,
    [names.emfNamespace]: metricNamespace,
    [names.guests]: props.guests,
    [names.redisUrlParameter]: redis?.urlParameter.parameterName,
    [names.redisUrl]: redis ? undefined : 'none',
    [names.redisSecretId]: redis?.secret?.secretArn,
    [names.authJwksUrl]: identityProvider?.jwksUrl,
    [names.authIssuer]: identityProvider?.issuer,
    [names.authAudience]: identityProvider?.audience,
    [names.authSubjectClaim]: identityProvider?.subjectClaim,
    [names.authNameClaim]: identityProvider?.nameClaim,
    [names.corsOrigins]: origins.length > 0 ? origins.join(',') : undefined,
    [names.mainHub]: props.mainHub,
    ...(bridges && {
      ...(props.bridges && environmentOfBridges(props.bridges)),
      [names.bridgesRedisSecretId]: bridges.secret?.secretArn,
    }),
    [names.modelProvider]: model && 'bedrock',
    [names.modelId]: model?.id,
    [names.liveKitUrl]: hasCalls ? edge.webSocketUrl : undefined,
    [names.liveKitApiUrl]: hasCalls ? addressWithin(edge).url : undefined,
    [names.roomLogMessages]: roomLog?.messages,
    [names.roomLogBytes]: roomLog?.bytes,
    [names.roomLogSeconds]: roomLog?.seconds,
    [names.roomMetaSeconds]: roomLog?.metaSeconds,
  };
  return Object.fromEntries(
    Object.entries(variables).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)]],
    ),
  );
}

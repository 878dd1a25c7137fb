import type { LiveKitPorts } from './ports.ts';
import type { RedisFacts } from './redis.ts';

/** How clients reach a node's media. */
export type NodeAddress =
  /** The variable `NODE_IP` says it; no STUN server is asked, which LiveKit on Fargate has not survived. */
  | { readonly kind: 'environment' }
  | { readonly kind: 'fixed'; readonly ip: string }
  /** This machine alone. */
  | { readonly kind: 'loopback' };

/** What a LiveKit node is configured with. Nothing in it is secret. */
export interface LiveKitSettings {
  readonly address: NodeAddress;

  /** @default those of a host of its own */
  readonly ports?: LiveKitPorts;

  /**
   * Through which nodes find each other's rooms.
   * @default none: the node is alone
   */
  readonly redis?: RedisFacts;

  /**
   * Where room events are told.
   * @default nowhere
   */
  readonly webhook?: {
    readonly urls: readonly string[];
    /** Key of `LIVEKIT_KEYS` whose secret signs them. */
    readonly apiKey: string;
  };

  /**
   * Relays media for clients whose network lets nothing else through.
   * @default off
   */
  readonly turn?: {
    /** Name that clients ask; TLS for it ends at the load balancer in front. */
    readonly domain: string;
  };

  readonly room?: {
    /** Seconds after which a room that nobody joined ends. @default 300 */
    readonly emptyTimeoutSeconds?: number;
    /** Seconds after which a room ends when the last one has left. @default 20 */
    readonly departureTimeoutSeconds?: number;
    /** @default no bound */
    readonly maxParticipants?: number;
  };

  /** @default 'info' */
  readonly logLevel?: 'debug' | 'info' | 'warn' | 'error';
}

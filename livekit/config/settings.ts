import type { LiveKitPorts } from './ports.ts';
import type { RedisFacts } from './redis.ts';

/** The address at which clients reach a node's media. */
export type NodeAddress =
  /** The variable `NODE_IP` has it. LiveKit asks no STUN server: on Fargate it failed when it did. */
  | { readonly kind: 'environment' }
  /** The loopback address: clients are on this machine. */
  | { readonly kind: 'loopback' };

/** The settings of a LiveKit node. None of them is secret. */
export interface LiveKitSettings {
  readonly address: NodeAddress;

  /** @default - the ports of a node that has a host of its own */
  readonly ports?: LiveKitPorts;

  /**
   * The Redis through which nodes find each other's rooms.
   * @default - none; the node runs alone
   */
  readonly redis?: RedisFacts;

  /**
   * Where LiveKit posts room events.
   * @default - nowhere
   */
  readonly webhook?: {
    readonly urls: readonly string[];
    /** The key of `LIVEKIT_KEYS` whose secret signs the events. */
    readonly apiKey: string;
  };

  /**
   * TURN: the node relays media for clients whose network blocks direct media.
   * @default - off
   */
  readonly turn?: {
    /** Domain name of TURN. The load balancer in front of the nodes terminates its TLS. */
    readonly domain: string;
  };

  readonly room?: {
    /** Seconds after which LiveKit closes a room that nobody joined. @default 300 */
    readonly emptyTimeoutSeconds?: number;
    /** Seconds after which LiveKit closes a room when the last participant has left. @default 20 */
    readonly departureTimeoutSeconds?: number;
    /** @default - no limit */
    readonly maxParticipants?: number;
  };

  readonly limits?: {
    /** Video tracks that a participant may receive at once. @default - no limit */
    readonly maxVideoSubscriptions?: number;
    /** Audio tracks that a participant may receive at once. @default - no limit */
    readonly maxAudioSubscriptions?: number;
    /** Bytes of metadata of a room or a participant. @default 64000 */
    readonly maxMetadataBytes?: number;
  };

  /** @default 'info' */
  readonly logLevel?: 'debug' | 'info' | 'warn' | 'error';
}

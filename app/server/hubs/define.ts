import type { z } from 'zod';
import type { Position } from '../../protocol/hub.ts';
import type { Identity } from '../auth/identity.ts';
import type { Cache } from '../cache/open-cache.ts';
import type { RateRule } from '../limits/buckets.ts';
import type { PublishOptions } from '../rooms/hub-rooms.ts';
import type { Grant } from '../rooms/membership/authorize.ts';
import type { MemberRates } from '../rooms/membership/member-rates.ts';
import type { ReplyText } from '../rooms/rpc.ts';
import type { UserSession } from './calls/user-sessions.ts';
import type { HubMember } from './member.ts';

/** A hub: a namespace whose rooms keep the delivery contract, with methods and events of its own. */
export interface HubDefinition {
  /** Names it in tokens, bans, metrics, Redis, and HTTP. */
  readonly name: string;
  /** Where Socket.IO's clients find it; `/` is where those look that were told nothing. @default `/name` */
  readonly namespace?: string;
  /** Where SignalR's clients find it, in lower case. @default `/name` with `hub` behind it, such as `/chathub` */
  readonly path?: string;
  /** What clients may call beside `join`, `leave`, `publish` and `presence`. @default nothing */
  readonly methods?: Readonly<Record<string, HubMethod>>;
  /** What clients of SignalR may stream beside `follow`. @default nothing */
  readonly streams?: Readonly<Record<string, HubStream>>;
  /**
   * Clients may call `join`, `leave`, `publish` and `presence`, and hear `welcome` and `degraded`. False for clients that
   * were written for another server: all names of events are the hub's own. @default true
   */
  readonly roomMethods?: boolean;
  /**
   * A client has emitted an event that is no method: any name, any arguments. What it returns acknowledges the event; a
   * `RpcError` is acknowledged as that of a method. One event of a client does not wait for another.
   * @default such events are left out
   */
  readonly onEvent?: (call: HubCall, event: string, args: readonly unknown[]) => unknown;
  /** What members hear beside `message`: not kept, not guaranteed. `any`: whatever its code says. @default nothing */
  readonly events?: Readonly<Record<string, z.ZodType>> | 'any';
  /**
   * A client has connected. What it calls meanwhile is not held up. Where it throws, the client is disconnected; a
   * `RpcError` is its doing, and anything else stands in the log. @default nothing
   */
  readonly onConnect?: (call: HubCall) => void | Promise<void>;
  /** Its connection has ended; an instance that is killed tells nobody. @default nothing */
  readonly onDisconnect?: (caller: Pick<HubMember, 'identity' | 'id'>, reason: string) => void;
  /** May this user do that in this room? The token's `rooms` are looked at before. @default everyone may */
  readonly authorize?: HubAuthorize;
  readonly limits?: Partial<HubLimits>;
  /** How often its code lets one user do what, on all instances together: `call.limit(name)`. @default nothing */
  readonly rateLimits?: Readonly<Record<string, HubRateLimit>>;
  /** What its code keeps for each user, by name: `call.session`. @default nothing */
  readonly session?: Readonly<Record<string, z.ZodType>>;
  /** Who publishes: whoever is authorized, or backends alone, over HTTP. @default 'clients' */
  readonly publishers?: 'clients' | 'backends';
  /** Members see who else is in the room. @default true, with `roomMethods` */
  readonly presence?: boolean;
}

/** Undefined is a no; `visibleFrom` cuts what is replayed. */
export type HubAuthorize = (
  identity: Identity,
  action: 'join' | 'publish',
  room: string,
) => Grant | undefined | Promise<Grant | undefined>;

/** A bucket of tokens for each user: so many fit in, and so many are added a second. */
export type HubRateLimit = Omit<RateRule, 'name'>;

/** What one connection may take. */
export interface HubLimits {
  /** Rooms that a connection is in at once. @default 1,000 */
  readonly rooms: number;
  /** Bytes of a published body as JSON. @default 65,536 */
  readonly bodyBytes: number;
}

export const defaultLimits: HubLimits = { rooms: 1_000, bodyBytes: 65_536 };

export interface BroadcastOptions {
  /** The caller's connection does not get it. @default false */
  readonly exceptCaller?: boolean;
}

export interface EmitOptions extends BroadcastOptions {
  /** @default every connection to the hub */
  readonly room?: string;
}

export interface LimitOptions {
  /** Whose bucket it is, such as a room's. @default the caller's subject */
  readonly of?: string;
  /** What this costs. Where one token is left, all are taken, and later calls wait for what was lacking. @default 1 */
  readonly tokens?: number;
}

/** What a method is given beside its request. */
export interface HubCall {
  readonly identity: Identity;
  readonly member: HubMember;
  /** Has the caller joined the room? */
  isMember(room: string): boolean;
  /** What this connection may take in a time. @default as much as it likes */
  readonly rates: MemberRates<HubMember> | undefined;
  /** What the caller may see of a room, as for a join; undefined: nothing. */
  grantOf(room: string): Promise<Grant | undefined>;
  /**
   * Publishes to a room as the caller, with the guarantee of a client's publish, whoever may publish there.
   * @throws RefusedError, UncertainError and the others of `HubRooms.publish`
   */
  publish(room: string, body: unknown, options?: Omit<PublishOptions, 'from'>): Promise<Position>;
  /** Makes the caller a member of a room, as its own `join` would. @throws RpcError where it may not be one */
  join(room: string): Promise<void>;
  leave(room: string): Promise<void>;
  /** Sends one of the hub's events to the caller alone. @throws Error when it does not fit its schema */
  send(event: string, ...args: readonly unknown[]): void;
  /**
   * Sends one of the hub's events to every connection of a user to this hub, on all instances: at most once, and while
   * Redis is away to those of this instance. @throws Error when it does not fit its schema
   */
  sendToUser(subject: string, event: string, payload: unknown): void;
  /** Sends one of the hub's events to the room's members on all instances. @throws Error when it does not fit its schema */
  broadcast(room: string, event: string, payload: unknown, options?: BroadcastOptions): void;
  /**
   * Emits any event with any arguments, binary too, as Socket.IO's `emit` does: to a room's members or to every
   * connection to this hub, on all instances, at most once; while Redis is away to those of this instance. What must
   * arrive is published.
   *
   * @throws Error when it is one of the hub's events and does not fit its schema, or is none; TypeError for a name that
   * belongs to the transports, BodyError for arguments that are nested too deep
   */
  emit(event: string, args: readonly unknown[], options?: EmitOptions): void;
  /** Values that this hub's code keeps for a time, shared by all instances. */
  readonly cache: Cache<unknown>;
  /**
   * Takes tokens of one of the hub's rate limits. It does not wait for Redis: instances sync once a second, and while
   * Redis is away each limits alone.
   * @throws RpcError `rate_limited`, which says when to try again; nothing was taken
   */
  limit(name: string, options?: LimitOptions): void;
  /** What is kept for the caller's user until an hour after it was set or read last, for all of its connections. */
  readonly session: UserSession;
}

/** Why a stream's items are not wanted any more: its client said so, its connection ended, or this instance leaves. */
export type StreamEnd = 'cancelled' | 'gone' | 'leaving';

/** What a stream is given beside its request. */
export interface StreamCall extends HubCall {
  /** Aborted with a `StreamEnd`. */
  readonly signal: AbortSignal;
  /**
   * A room's messages, as JSON texts, each once and in order: from a position or the log's start on, or from now on.
   * Joined when it resolves. @throws RpcError as `join`
   */
  follow(room: string, since?: Position | 'start'): Promise<AsyncGenerator<ReplyText, void>>;
}

/** A stream with its schema; made by `stream`, which keeps both of one type. */
export interface HubStream {
  readonly schema: z.ZodType;
  run(call: StreamCall, request: unknown): AsyncIterable<unknown>;
}

/** @param run a `RpcError` that it throws is what the client reads; anything else stands in the log */
export function stream<S extends z.ZodType>(
  schema: S,
  run: (call: StreamCall, request: z.infer<S>) => AsyncIterable<unknown>,
): HubStream {
  return { schema, run: run as HubStream['run'] };
}

/** A method with its schema; made by `method`, which keeps both of one type. */
export interface HubMethod {
  readonly schema: z.ZodType;
  run(call: HubCall, request: unknown): Promise<object> | object;
}

/**
 * @param run answers `{ok: true, …}` with what it returns; a `RpcError` that it throws is the answer
 * `{ok: false, error}`, anything else is `internal` and stands in the log
 */
export function method<S extends z.ZodType>(
  schema: S,
  run: (call: HubCall, request: z.infer<S>) => Promise<object> | object,
): HubMethod {
  return { schema, run: run as HubMethod['run'] };
}

/** The first parts of paths that are served by others. */
const takenPaths = ['/api', '/health', '/instance', '/local', '/metrics', '/socket.io'];

/** Where SignalR's clients find a hub. */
export function pathOf({ name, path = `/${name}hub` }: Pick<HubDefinition, 'name' | 'path'>): string {
  return path;
}

/** Where Socket.IO's clients find a hub. */
export function namespaceOf({
  name,
  namespace = `/${name}`,
}: Pick<HubDefinition, 'name' | 'namespace'>): string {
  return namespace;
}

function isTaken(path: string): boolean {
  return (
    takenPaths.some((taken) => path === taken || path.startsWith(`${taken}/`)) || path.endsWith('/negotiate')
  );
}

const reservedMethods = ['join', 'leave', 'publish', 'presence'];
const reservedStreams = ['follow'];

/** @throws Error when a name is taken, or is no name */
export function defineHub(definition: HubDefinition): HubDefinition {
  const { name, methods = {}, streams = {} } = definition;
  if (!/^[a-z][a-z0-9-]{0,31}$/.test(name)) {
    throw new Error(`a hub's name must be 1–32 of a–z 0–9 -, a letter first, got: ${name}`);
  }
  const names = [...Object.keys(methods), ...Object.keys(streams)];
  const twice = names.filter((each, index) => names.indexOf(each) < index);
  if (twice.length > 0)
    throw new Error(`hub ${name}: ${twice.join(', ')} is a method and a stream: rename one`);
  const reserved = [...(definition.roomMethods === false ? [] : reservedMethods), ...reservedStreams];
  const taken = names.filter((each) => reserved.includes(each));
  if (taken.length > 0) throw new Error(`hub ${name}: every hub has ${taken.join(', ')} already`);
  assertRateLimits(definition);
  const namespace = namespaceOf(definition);
  if (!/^\/([A-Za-z0-9._~-]+(\/[A-Za-z0-9._~-]+)*)?$/.test(namespace)) {
    throw new Error(
      `hub ${name}: its namespace must be / or parts of A–Z a–z 0–9 . _ ~ - behind a slash each, got: ${namespace}`,
    );
  }
  const { path = pathOf(definition) } = definition;
  if (!/^(\/[a-z0-9][a-z0-9._-]*)+$/.test(path) || isTaken(path)) {
    throw new Error(
      `hub ${name}: its path must be parts of a–z 0–9 . _ - behind a slash each, and not within ${takenPaths.join(', ')}, got: ${path}`,
    );
  }
  return definition;
}

/** @throws Error when a rate limit would let nothing through, or everything */
function assertRateLimits({ name, rateLimits = {} }: HubDefinition): void {
  const bad = Object.entries(rateLimits).filter(
    ([, { burst, perSecond }]) =>
      !(burst >= 1 && perSecond > 0 && Number.isFinite(burst) && Number.isFinite(perSecond)),
  );
  if (bad.length === 0) return;
  const got = bad.map(([limit, { burst, perSecond }]) => `${limit} with ${burst} and ${perSecond}`);
  throw new Error(
    `hub ${name}: a rate limit needs a burst of 1 or more, and more than 0 per second, got: ${got.join(', ')}`,
  );
}

import type { Welcome } from '../../protocol/hub.ts';
import { presenceRequest } from '../../protocol/schemas.ts';
import { AuthenticationError } from '../auth/errors.ts';
import { openCache } from '../cache/open-cache.ts';
import { openRateLimiters, type RateLimiters, type RateLimitersOptions } from '../limits/rate-limiter.ts';
import { presenceMethod, presenceReply } from '../presence/method.ts';
import type { Presence } from '../presence/presence.ts';
import { createRoomCounters, type RoomCounters } from '../rooms/counters.ts';
import { type HubRooms, openRooms } from '../rooms/hub-rooms.ts';
import { FramesByFormat } from '../rooms/member.ts';
import type { MemberRates } from '../rooms/membership/member-rates.ts';
import { createHandler, type Handler, type OnFault, RpcError } from '../rooms/rpc.ts';
import { authorizeBy } from './authorize.ts';
import { callsOf, methodHandlers, type StreamHandler, streamHandlers } from './calls/calls.ts';
import { HubEvents } from './calls/hub-events.ts';
import { UserSessions } from './calls/user-sessions.ts';
import { ConnectionLog } from './connection-log.ts';
import type { HubContext } from './context.ts';
import { defaultLimits, type HubCall, type HubDefinition, namespaceOf, pathOf } from './define.ts';
import { Degradation } from './degradation.ts';
import { createEventHandler, type EventHandler } from './event-handler.ts';
import type { HubMember } from './member.ts';
import type { HubObserver } from './observer.ts';

/** A hub on this instance. Transports bring it members, and serve its handlers to them. */
export interface OpenHub {
  readonly name: string;
  /** Where Socket.IO's clients find it. */
  readonly namespace: string;
  /** Where SignalR's clients find it. */
  readonly path: string;
  readonly rooms: HubRooms<HubMember>;
  /** All that are connected to it here, by their ids. */
  readonly members: ReadonlyMap<string, HubMember>;
  /** What members may ask, by name. */
  readonly handlers: ReadonlyMap<string, Handler<HubMember>>;
  /** What members may stream, by name, over transports that have streams. */
  readonly streams: ReadonlyMap<string, StreamHandler>;
  /** What serves all other events; undefined: they are left out. */
  readonly events: EventHandler | undefined;
  /** Reports a fault to the log; its client hears nothing of it. */
  readonly onFault: OnFault<HubMember>;
  readonly counters: RoomCounters;
  /** Milliseconds for which a repeated id is answered with the first one's position. */
  readonly idWindowMs: number;
  /** A client was let in. */
  entered(member: HubMember): void;
  /** Its connection to the hub has ended. */
  left(member: HubMember, reason: string): void;
  /** A client was not let in, with the code that it gets. @param connection for the log */
  refused(error: Error, code: string, connection: string): void;
  /** What the hub's code is given of a member, for others who act for it. */
  callOf(member: HubMember): HubCall;
  /** Notified, from now on, of what this instance says in the hub. @returns ends it */
  watch(observer: HubObserver): () => void;
  /** Says what is left to say to the other instances. */
  close(): Promise<void>;
}

/** Opens a hub on this instance. */
export function openHub(definition: HubDefinition, context: HubContext): OpenHub {
  const { store, log, backplane } = context;
  const { name, roomMethods = true, onEvent } = definition;
  const rates = context.ratesOf?.(name);
  const limits = { ...defaultLimits, ...definition.limits };
  const counters = context.countersOf?.(name) ?? createRoomCounters();
  const connections = new ConnectionLog(name, log);
  const onFault: OnFault<HubMember> = (error, member, room) =>
    connections.of(member, room).error({ err: error }, 'a hub method failed');
  const authorize = authorizeBy(definition, context.isBanned);
  const observers = new Set<HubObserver>();
  const presence = openPresence(definition, context, (...event) => rooms.broadcast(...event));
  const rooms = openRooms<HubMember>({
    hub: name,
    store,
    onFault,
    authorize,
    limits,
    counters,
    rates,
    membership: presence,
    onAppended: (message) => {
      for (const observer of observers) observer.published(message());
    },
  });
  const members = new Map<string, HubMember>();
  const welcome: Welcome = { instance: context.instance, limits: { bodyBytes: limits.bodyBytes } };
  const greet = greeter(welcome);
  const { links } = backplane;
  const { deployment = 'realtime' } = context;
  const degradation = roomMethods
    ? new Degradation({ hub: name, deployment, backplane, members, rooms })
    : undefined;
  const hubEvents = new HubEvents({ hub: name, members, links, deployment });
  const cache = openCache({ name: `hub-${name}`, deployment, links });
  const limiters = openHubLimiters(definition, { deployment, links });
  const sessions = new UserSessions({ hub: name, schemas: definition.session ?? {}, links, deployment });
  const onEmit: HubObserver['emitted'] = (...emitted) => {
    for (const observer of observers) observer.emitted(...emitted);
  };
  const served = { onEmit, rooms, authorize, onFault, rates, hubEvents, cache, limiters, sessions };
  const callOf = callsOf(definition, served);
  return {
    name,
    namespace: namespaceOf(definition),
    events: onEvent && createEventHandler({ onEvent, callOf, rates, onFault, mostBytes: limits.bodyBytes }),
    path: pathOf(definition),
    onFault,
    streams: new Map(streamHandlers(definition, served)),
    rooms,
    members,
    counters,
    idWindowMs: rooms.idWindowMs,
    handlers: new Map([
      ...(roomMethods ? rooms.handlers : []),
      ...methodHandlers(definition, served),
      ...(presence && roomMethods
        ? [['presence', presenceHandler({ rooms, presence, onFault, rates })] as const]
        : []),
    ]),
    entered: (member) => {
      members.set(member.id, member);
      connections.connected(member);
      if (roomMethods) greet(member);
      degradation?.greet(member);
      if (definition.onConnect) void connect(definition.onConnect, callOf(member), onFault);
    },
    left: (member, reason) => {
      members.delete(member.id);
      rooms.forget(member);
      connections.disconnected(member, reason);
      attempt(() => definition.onDisconnect?.(member, reason), member, onFault);
    },
    // A token that is not taken is counted; a fault of ours stands in the log too.
    refused: (error, code, connection) => {
      context.onRefused?.(name, code);
      if (!(error instanceof AuthenticationError)) {
        log.error({ hub: name, connection, err: error }, 'a client could not be authenticated');
      }
    },
    callOf,
    watch: (observer) => {
      observers.add(observer);
      return () => void observers.delete(observer);
    },
    close: async () => {
      degradation?.close();
      hubEvents.close();
      limiters.close();
      await presence?.close();
      rooms.close();
    },
  };
}

/** Welcomes each with the same frame, made once for each transport. */
function greeter(welcome: Welcome): (member: HubMember) => void {
  const frames = new FramesByFormat((format) => format.event('welcome', welcome));
  return (member) => {
    member.deliver(frames.of(member.format));
    frames.flush();
  };
}

/** Their names in Redis begin with the hub's: those of two hubs are two. */
function openHubLimiters(
  { name, rateLimits = {} }: HubDefinition,
  options: RateLimitersOptions,
): RateLimiters<string> {
  const rules = Object.entries(rateLimits).map(
    ([limit, rule]) => [limit, { ...rule, name: `hub/${name}/${limit}` }] as const,
  );
  return openRateLimiters(Object.fromEntries(rules), options);
}

async function connect(
  onConnect: NonNullable<HubDefinition['onConnect']>,
  call: HubCall,
  onFault: OnFault<HubMember>,
): Promise<void> {
  try {
    await onConnect(call);
  } catch (error) {
    if (!(error instanceof RpcError)) onFault(error as Error, call.member);
    call.member.disconnect();
  }
}

/** A fault of a hub's own code ends nothing. */
function attempt(run: () => void, member: HubMember, onFault: OnFault<HubMember>): void {
  try {
    run();
  } catch (error) {
    onFault(error as Error, member);
  }
}

/** Nobody could ask for it where clients have no methods of rooms. */
function openPresence(
  { name, roomMethods = true, presence = roomMethods }: HubDefinition,
  { presenceOf }: HubContext,
  broadcast: HubRooms['broadcast'],
): Presence | undefined {
  return presence ? presenceOf?.(name, broadcast) : undefined;
}

interface ServedPresence {
  readonly rooms: HubRooms<HubMember>;
  readonly presence: Presence;
  readonly onFault: OnFault<HubMember>;
  readonly rates: MemberRates<HubMember> | undefined;
}

/** Asked for in each room that is joined: it counts as a join does. */
function presenceHandler({ rooms, presence, onFault, rates }: ServedPresence): Handler<HubMember> {
  const answer = presenceMethod<HubMember>(presence, (member, room) => rooms.isMember(member, room));
  return createHandler<typeof presenceRequest, HubMember>({
    schema: presenceRequest,
    method: async (member, request) => {
      rates?.join(member);
      const answered = await answer(member, request);
      if (!answered.ok) return answered;
      const reply = presenceReply(answered);
      rates?.read(member, Buffer.byteLength(reply.text));
      return reply;
    },
    onFault,
  });
}

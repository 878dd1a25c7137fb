import type { Position } from '../../../protocol/hub.ts';
import { followRequest } from '../../../protocol/schemas.ts';
import type { Cache } from '../../cache/open-cache.ts';
import type { RateLimiters } from '../../limits/rate-limiter.ts';
import { assertEventName, type ServedRooms } from '../../rooms/hub-rooms.ts';
import type { Authorize } from '../../rooms/membership/authorize.ts';
import type { MemberRates } from '../../rooms/membership/member-rates.ts';
import {
  createHandler,
  explain,
  type Handler,
  type OnFault,
  type Parameter,
  parametersOf,
  RpcError,
} from '../../rooms/rpc.ts';
import { type HubCall, type HubDefinition, stream } from '../define.ts';
import type { HubMember } from '../member.ts';
import { assertWithinLimit } from '../member-rates.ts';
import type { HubObserver } from '../observer.ts';
import { followRoom } from './follow.ts';
import type { HubEvents } from './hub-events.ts';
import type { UserSessions } from './user-sessions.ts';

export interface MethodsOptions {
  readonly rooms: ServedRooms<HubMember>;
  readonly authorize: Authorize<HubMember>;
  readonly onFault: OnFault<HubMember>;
  readonly rates: MemberRates<HubMember> | undefined;
  /** Reaches connections on all instances. */
  readonly hubEvents: HubEvents;
  /** Notified of what the hub's code emits to rooms, or to all. */
  readonly onEmit: HubObserver['emitted'];
  /** Of the hub's own code. */
  readonly cache: Cache<unknown>;
  /** By the names of the hub's rate limits. */
  readonly limiters: RateLimiters<string>;
  readonly sessions: UserSessions;
}

/** A stream, for members of every transport that has streams. */
export interface StreamHandler {
  /** Of the request, as a method's. */
  readonly parameters: readonly Parameter[];
  /** Ends when the signal is aborted, with a `StreamEnd`. @throws RpcError what the client reads, now or later */
  run(member: HubMember, request: unknown, signal: AbortSignal): AsyncIterable<unknown>;
}

/** What a hub defines beside the rooms. */
export function methodHandlers(
  definition: HubDefinition,
  options: MethodsOptions,
): [name: string, handler: Handler<HubMember>][] {
  const { onFault, rates } = options;
  const callOf = callsOf(definition, options);
  return Object.entries(definition.methods ?? {}).map(([name, { schema, run }]) => {
    const method = async (member: HubMember, request: unknown) => {
      rates?.call(member);
      return { ok: true as const, ...(await run(callOf(member), request)) };
    };
    return [name, createHandler({ schema, method, onFault })];
  });
}

/** The rooms of every hub can be followed. */
const follow = stream(followRequest, async function* (call, { room, since }) {
  yield* await call.follow(room, since);
});

/** The streams of a hub. */
export function streamHandlers(
  definition: HubDefinition,
  options: MethodsOptions,
): [name: string, handler: StreamHandler][] {
  const callOf = callsOf(definition, options);
  return Object.entries({ follow, ...definition.streams }).map(([name, { schema, run }]) => {
    const start: StreamHandler['run'] = (member, request, signal) => {
      const parsed = schema.safeParse(request);
      if (!parsed.success) throw new RpcError('bad_request', explain(parsed.error));
      options.rates?.call(member);
      const followed = (room: string, since?: Position | 'start') =>
        followRoom(options.rooms, member, { room, since, signal });
      return run({ ...callOf(member), signal, follow: followed }, parsed.data);
    };
    return [name, { parameters: parametersOf(schema), run: start }];
  });
}

/** What a hub's code is given of its caller. */
export function callsOf(
  { events = {} }: HubDefinition,
  { rooms, authorize, rates, hubEvents, onEmit, cache, limiters, sessions }: MethodsOptions,
): (member: HubMember) => HubCall {
  const checked = (event: string, payload: unknown) => {
    if (events === 'any') return payload;
    const schema = Object.hasOwn(events, event) ? events[event] : undefined;
    if (!schema) throw new Error(`the hub defines no event ${event}`);
    return schema.parse(payload);
  };
  const allChecked = (event: string, args: readonly unknown[]) => {
    if (events !== 'any') {
      if (args.length > 1) throw new Error(`the hub's event ${event} has one argument, got: ${args.length}`);
      return [checked(event, args[0])];
    }
    assertEventName(event);
    return args;
  };
  const limiterOf = (name: string) => {
    const limiter = Object.hasOwn(limiters.of, name) ? limiters.of[name] : undefined;
    if (!limiter) throw new Error(`the hub defines no rate limit ${name}`);
    return limiter;
  };
  return (member) => ({
    member,
    identity: member.identity,
    isMember: (room) => rooms.isMember(member, room),
    rates,
    grantOf: async (room) => authorize(member, 'join', room),
    cache,
    limit: (name, { of = member.subject, tokens = 1 } = {}) =>
      assertWithinLimit(limiterOf(name).consume(of, tokens)),
    session: sessions.of(member.subject),
    broadcast: (room, event, payload, { exceptCaller = false } = {}) => {
      const except = exceptCaller ? member.id : undefined;
      const said = checked(event, payload);
      rooms.broadcast(room, event, said, except);
      onEmit(event, [said], room, except);
    },
    publish: (room, body, options) => rooms.publish(room, body, { ...options, from: member.subject }),
    join: async (room) => {
      // The room can run ahead of what was read: it is joined when nothing is left to read.
      for (let page = await rooms.read(member, { room }); page.more; )
        page = await rooms.read(member, { room });
    },
    leave: (room) => rooms.leave(member, room),
    send: (event, ...args) => member.send(event, ...allChecked(event, args)),
    sendToUser: (subject, event, payload) => hubEvents.sendToUser(subject, event, checked(event, payload)),
    emit: (event, args, { room, exceptCaller = false } = {}) => {
      const except = exceptCaller ? member.id : undefined;
      const said = allChecked(event, args);
      if (room === undefined) hubEvents.emit(event, said, except);
      else rooms.emit(room, event, said, except);
      onEmit(event, said, room, except);
    },
  });
}

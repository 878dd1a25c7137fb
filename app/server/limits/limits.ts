import type { Identity } from '../auth/identity.ts';
import { networkOf } from '../net/client-address.ts';
import type { RateRule } from './buckets.ts';
import { openRateLimiters, type RateLimiter, type RateLimitersOptions } from './rate-limiter.ts';
import { UnusedRooms } from './unused-rooms.ts';

/**
 * How much of what. By user: who the token names; by address: all that come from one network. Calls cost what they
 * take: beside each call its bytes are counted, those that are sent and those that are asked for.
 */
export interface LimitRules {
  readonly publishesByUser: RateRule;
  readonly publishesByAddress: RateRule;
  /** Bytes of publishes, with what the log adds to each: they stand in Redis for as long as a log goes back. */
  readonly publishedBytesByUser: RateRule;
  readonly publishedBytesByAddress: RateRule;
  /** Rooms that nothing was kept of before the publish: each is known for a week. */
  readonly newRoomsByUser: RateRule;
  readonly newRoomsByAddress: RateRule;
  readonly joinsByUser: RateRule;
  readonly joinsByAddress: RateRule;
  /** Of them those of rooms without messages: there is no end of them, and who is in each stands in Redis. */
  readonly unusedJoinsByUser: RateRule;
  readonly unusedJoinsByAddress: RateRule;
  /** Bytes in the replies of joins and of presence. */
  readonly readBytesByUser: RateRule;
  readonly readBytesByAddress: RateRule;
  /** A hub's own methods, such as `typing`. */
  readonly callsByUser: RateRule;
  readonly callsByAddress: RateRule;
  readonly asksByUser: RateRule;
  readonly asksByAddress: RateRule;
  readonly handshakesByAddress: RateRule;
  /** Bytes that clients send, whatever they are, on this instance. */
  readonly receivedBytesByAddress: RateRule;
  readonly sessionsByAddress: RateRule;
}

/**
 * An address can be a whole office or a mobile carrier's gateway: its limits are there for floods alone, and for what
 * stays: one address fills no Redis of 400 MB. A handshake is one for each connection; after a deploy, all of an
 * office come back within seconds.
 */
export const defaultRules: LimitRules = {
  publishesByUser: rule('publish', 300, 100),
  publishesByAddress: rule('publish-address', 5_000, 2_500),
  // For as long as a log goes back by default: 160 MB of one user, 260 MB of one address.
  publishedBytesByUser: rule('publish-bytes', 8_000_000, 256_000),
  publishedBytesByAddress: rule('publish-bytes-address', 16_000_000, 400_000),
  // At 0.6 KB for a week: 18 MB of one user, 90 MB of one address.
  newRoomsByUser: rule('room', 100, 0.05),
  newRoomsByAddress: rule('room-address', 1_000, 0.25),
  // A client that comes back joins all its rooms at once, as many as a connection may be in, and asks who is there.
  joinsByUser: rule('join', 4_000, 200),
  joinsByAddress: rule('join-address', 40_000, 2_000),
  // A room that is joined and left costs 2 KB for a quarter of a minute: 55 MB of one address.
  unusedJoinsByUser: rule('unused-join', 1_000, 50),
  unusedJoinsByAddress: rule('unused-join-address', 20_000, 500),
  // The logs of 16 busy rooms, read from their beginning.
  readBytesByUser: rule('read-bytes', 16_000_000, 1_000_000),
  readBytesByAddress: rule('read-bytes-address', 256_000_000, 8_000_000),
  callsByUser: rule('call', 100, 20),
  // As many as of publishes: who is typing is sent to as many. Who may be a guest may be a thousand.
  callsByAddress: rule('call-address', 5_000, 2_500),
  asksByUser: rule('ask', 10, 0.5),
  // A turn is known for half an hour, with up to 40,000 characters.
  asksByAddress: rule('ask-address', 100, 2),
  handshakesByAddress: rule('handshake', 2_000, 200),
  receivedBytesByAddress: rule('received-bytes', 256_000_000, 16_000_000),
  sessionsByAddress: rule('session', 60, 2),
};

export interface LimitsOptions extends RateLimitersOptions {
  readonly rules?: Partial<LimitRules>;
}

/** Rooms without messages that one user, or all of one address, may be in on an instance. */
const unusedRoomsOfUser = 2_000;
const unusedRoomsOfAddress = 20_000;
/** Who is in so many must leave one first: later may be soon enough. */
const unusedAgainMs = 5_000;

/** Each answers with the milliseconds after which to try again; undefined: go on. No call waits for Redis. */
export interface Limits {
  /** @param bytes of the request. @default 0 */
  publish(identity: Identity, address: string, bytes?: number): number | undefined;
  /** A join, or a question who is in a room. */
  join(identity: Identity, address: string): number | undefined;
  /** Is about to be in a room without messages; `leaveUnused` follows, or it was refused. */
  joinUnused(identity: Identity, address: string, room: string, isUnused: () => boolean): number | undefined;
  leaveUnused(identity: Identity, address: string, room: string): void;
  /** Asks alone, and takes nothing: until a room may be made. */
  untilNewRoom(identity: Identity, address: string): number | undefined;
  call(identity: Identity, address: string): number | undefined;
  ask(identity: Identity, address: string): number | undefined;
  handshake(address: string): number | undefined;
  received(address: string, bytes: number): number | undefined;
  session(address: string): number | undefined;
  /** A room was made. */
  newRoom(identity: Identity, address: string): void;
  /** The reply to a join or question had so many bytes: the next one waits until they are paid for. */
  read(identity: Identity, address: string, bytes: number): void;
  close(): void;
}

/** Bytes that a message has in Redis beside its request: its entry in the log, and the key of its id. */
const bytesPerMessage = 256;

export function openLimits({ rules = {}, ...options }: LimitsOptions): Limits {
  const limiters = openRateLimiters({ ...defaultRules, ...rules }, options);
  return { ...limitsBy(limiters.of), close: limiters.close };
}

function limitsBy(of: Readonly<Record<keyof LimitRules, RateLimiter>>): Omit<Limits, 'close'> {
  const ofUsers = new UnusedRooms(unusedRoomsOfUser);
  const ofAddresses = new UnusedRooms(unusedRoomsOfAddress);
  return {
    // The user first: who is over its own limit takes nothing of its neighbours'.
    publish: ({ subject }, address, bytes = 0) => {
      const network = networkOf(address);
      return (
        of.publishesByUser.consume(subject) ??
        of.publishesByAddress.consume(network) ??
        of.publishedBytesByUser.consume(subject, bytes + bytesPerMessage) ??
        of.publishedBytesByAddress.consume(network, bytes + bytesPerMessage)
      );
    },
    join: ({ subject }, address) => {
      const network = networkOf(address);
      return (
        of.readBytesByUser.wait(subject) ??
        of.readBytesByAddress.wait(network) ??
        of.joinsByUser.consume(subject) ??
        of.joinsByAddress.consume(network)
      );
    },
    joinUnused: ({ subject }, address, room, isUnused) => {
      const network = networkOf(address);
      const waitMs = of.unusedJoinsByUser.consume(subject) ?? of.unusedJoinsByAddress.consume(network);
      if (waitMs !== undefined) return waitMs;
      if (!ofUsers.enter(subject, room, isUnused)) return unusedAgainMs;
      if (ofAddresses.enter(network, room, isUnused)) return undefined;
      ofUsers.exit(subject, room);
      return unusedAgainMs;
    },
    leaveUnused: ({ subject }, address, room) => {
      ofUsers.exit(subject, room);
      ofAddresses.exit(networkOf(address), room);
    },
    untilNewRoom: ({ subject }, address) =>
      of.newRoomsByUser.wait(subject) ?? of.newRoomsByAddress.wait(networkOf(address)),
    call: ({ subject }, address) =>
      of.callsByUser.consume(subject) ?? of.callsByAddress.consume(networkOf(address)),
    ask: ({ subject }, address) =>
      of.asksByUser.consume(subject) ?? of.asksByAddress.consume(networkOf(address)),
    handshake: (address) => of.handshakesByAddress.consume(networkOf(address)),
    received: (address, bytes) => of.receivedBytesByAddress.consume(networkOf(address), bytes),
    session: (address) => of.sessionsByAddress.consume(networkOf(address)),
    newRoom: ({ subject }, address) => {
      of.newRoomsByUser.charge(subject, 1);
      of.newRoomsByAddress.charge(networkOf(address), 1);
    },
    read: ({ subject }, address, bytes) => {
      of.readBytesByUser.charge(subject, bytes);
      of.readBytesByAddress.charge(networkOf(address), bytes);
    },
  };
}

function rule(name: string, burst: number, perSecond: number): RateRule {
  return { name, burst, perSecond };
}

import type { Identity } from '../auth/identity.ts';
import { networkOf } from '../http/client-address.ts';
import { RateLimiter } from './rate-limiter.ts';
import type { RateRule } from './rule.ts';
import { type SettleLinks, settleBy, settleEveryMs } from './settle.ts';

/** What may be called how often. By user: who the token names; by address: all that come from one network. */
export interface LimitRules {
  readonly publishesByUser: RateRule;
  readonly publishesByAddress: RateRule;
  readonly joinsByUser: RateRule;
  /** A hub's own methods, such as `typing`. */
  readonly callsByUser: RateRule;
  readonly asksByUser: RateRule;
  readonly asksByAddress: RateRule;
  readonly handshakesByAddress: RateRule;
  readonly sessionsByAddress: RateRule;
}

/**
 * An address can be a whole office or a mobile carrier's gateway: its limits are there for floods alone. A handshake
 * is one for each connection; after a deploy, all of an office come back within seconds.
 */
export const defaultRules: LimitRules = {
  publishesByUser: rule('publish', 300, 100),
  publishesByAddress: rule('publish-address', 5_000, 2_500),
  // A client that comes back joins all its rooms at once, as many as a connection may be in, and asks who is there.
  joinsByUser: rule('join', 4_000, 200),
  callsByUser: rule('call', 100, 20),
  asksByUser: rule('ask', 10, 0.5),
  asksByAddress: rule('ask-address', 200, 20),
  handshakesByAddress: rule('handshake', 2_000, 200),
  sessionsByAddress: rule('session', 60, 2),
};

export interface LimitsOptions {
  /** Redis, through which instances settle. @default each limits alone */
  readonly links?: SettleLinks | undefined;
  readonly deployment: string;
  readonly rules?: Partial<LimitRules>;
}

/** Each answers with the milliseconds after which to try again; undefined: go on. No call waits for Redis. */
export interface Limits {
  publish(identity: Identity, address: string): number | undefined;
  join(identity: Identity): number | undefined;
  call(identity: Identity): number | undefined;
  ask(identity: Identity, address: string): number | undefined;
  handshake(address: string): number | undefined;
  session(address: string): number | undefined;
  close(): void;
}

export function openLimits({ links, deployment, rules = {} }: LimitsOptions): Limits {
  const of = { ...defaultRules, ...rules };
  const settle = links && settleBy(links, deployment);
  const limiters: RateLimiter[] = [];
  const open = (each: RateRule) => {
    const limiter = new RateLimiter({ rule: each, ...(settle ? { settle } : {}) });
    limiters.push(limiter);
    return limiter;
  };
  const publishesByUser = open(of.publishesByUser);
  const publishesByAddress = open(of.publishesByAddress);
  const joins = open(of.joinsByUser);
  const calls = open(of.callsByUser);
  const asksByUser = open(of.asksByUser);
  const asksByAddress = open(of.asksByAddress);
  const handshakes = open(of.handshakesByAddress);
  const sessions = open(of.sessionsByAddress);
  const timer = setInterval(() => {
    for (const limiter of limiters) void limiter.settleAll();
  }, settleEveryMs).unref();
  return {
    // The user first: who is over its own limit takes nothing of its neighbours'.
    publish: ({ subject }, address) =>
      publishesByUser.take(subject) ?? publishesByAddress.take(networkOf(address)),
    join: ({ subject }) => joins.take(subject),
    call: ({ subject }) => calls.take(subject),
    ask: ({ subject }, address) => asksByUser.take(subject) ?? asksByAddress.take(networkOf(address)),
    handshake: (address) => handshakes.take(networkOf(address)),
    session: (address) => sessions.take(networkOf(address)),
    close: () => clearInterval(timer),
  };
}

function rule(name: string, burst: number, perSecond: number): RateRule {
  return { name, burst, perSecond };
}

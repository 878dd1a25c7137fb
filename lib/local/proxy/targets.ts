/**
 * `initial` until the first passing check, `healthy` and `unhealthy` by the checks, `draining` once deregistered.
 */
export type Health = 'initial' | 'healthy' | 'unhealthy' | 'draining';

export interface TargetAddress {
  /** The name by which it is deregistered, such as `app-1`. */
  readonly id: string;
  readonly host: string;
  readonly port: number;
}

/** A request or an upgraded connection that a target serves at the moment. */
export interface Connection {
  /** Ends it at once, on both sides. */
  cut(): void;
}

export interface Target extends TargetAddress {
  /** Identifies this registration: the same id registered again is another target, as with an ALB. */
  readonly key: string;
  readonly registeredAt: number;
  readonly connections: Set<Connection>;
  /** Clients are tied to it by cookies. */
  readonly sticky: boolean;
  /** Its process has ended, and requests for it get 502. */
  isDead: boolean;
  health: Health;
  /** Checks passed in a row. */
  passes: number;
  /** Checks failed in a row. */
  failures: number;
}

/**
 * What becomes of the requests for a target that died: others get them, or they get 502 until its successor serves, as
 * behind a proxy that checks nothing.
 */
export type DeadTargets = 'skip' | 'answer 502';

/** Which target gets a request that no cookie ties to one: in turn, or by chance as some proxies do. */
export type Choice = 'round-robin' | 'random';

export interface TargetGroupOptions {
  /** Cookies tie clients to their targets. */
  readonly sticky: boolean;
  /** @default 'round-robin' */
  readonly choice?: Choice;
  /** @default 'skip' */
  readonly dead?: DeadTargets;
}

/** Targets that do the same work. It picks the one that gets the next request. */
export class TargetGroup {
  readonly #targets = new Map<string, Target>();
  readonly #sticky: boolean;
  readonly #choice: Choice;
  readonly #dead: DeadTargets;
  #registrations = 0;
  #next = 0;

  constructor({ sticky, choice = 'round-robin', dead = 'skip' }: TargetGroupOptions) {
    this.#sticky = sticky;
    this.#choice = choice;
    this.#dead = dead;
  }

  register(address: TargetAddress): Target {
    if (this.#targets.has(address.id)) {
      throw new Error(`a target "${address.id}" is registered already: deregister it first`);
    }
    const target: Target = {
      ...address,
      key: `${address.id}/${++this.#registrations}`,
      registeredAt: performance.now(),
      connections: new Set(),
      sticky: this.#sticky,
      isDead: false,
      health: 'initial',
      passes: 0,
      failures: 0,
    };
    this.#targets.set(target.id, target);
    return target;
  }

  remove(target: Target): void {
    if (this.#targets.get(target.id) === target) this.#targets.delete(target.id);
  }

  get(id: string): Target | undefined {
    return this.#targets.get(id);
  }

  all(): Target[] {
    return [...this.#targets.values()];
  }

  /** The target that a cookie names, if it still takes requests; else by the group's choice. */
  pick(stickyKey?: string): Target | undefined {
    const open = this.#takingRequests();
    return open.find((target) => target.key === stickyKey) ?? open[this.#index(open.length)];
  }

  #index(count: number): number {
    return this.#choice === 'random' ? Math.floor(Math.random() * count) : this.#next++ % count;
  }

  #takingRequests(): Target[] {
    if (this.#dead === 'answer 502') return this.all().filter(({ health }) => health !== 'draining');
    const checked = this.all().filter(({ health }) => health === 'healthy' || health === 'unhealthy');
    const healthy = checked.filter(({ health }) => health === 'healthy');
    // It fails open, as an ALB does: with none healthy all are tried, since the checks themselves may be wrong.
    return healthy.length > 0 ? healthy : checked;
  }
}

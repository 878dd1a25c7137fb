import { type Decision, decide, type Limits } from './decision.ts';
import type { Standing } from './deployment.ts';
import type { Log } from './log.ts';
import type { Protection, ProtectionAnswer } from './protection.ts';

export interface KeeperOptions {
  readonly limits: Limits;
  readonly protection: Protection;
  readonly readLoad: () => Promise<number>;
  /** @throws when ECS can't be asked: what was known last holds */
  readonly readStanding: () => Promise<Standing>;
  /** Called once, when the task is to take no new rooms. */
  readonly drain: () => void;
  readonly log: Log;
}

/** Short, so that a task whose sidecar died does not stay protected; renewed when half of it is over. */
const protectionMinutes = 10;

/** Keeps the protection of one task as it has to be, look by look. */
export class Keeper {
  readonly #options: KeeperOptions;
  #standing: Standing | undefined;
  #load: number | undefined;
  #busySince: number | undefined;
  #protectedUntil = 0;
  #draining = false;
  #blocked = false;
  #why: Decision['why'] | undefined;
  #lastFault = '';

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** What there is to report. */
  get state() {
    return {
      load: this.#load,
      standing: this.#standing,
      isProtected: this.#protectedUntil > Date.now(),
      isBlocked: this.#blocked,
    };
  }

  async look(now = Date.now()): Promise<void> {
    const { readLoad, readStanding, limits, log, drain } = this.#options;
    const [load, standing] = await Promise.all([
      readLoad().catch((error: Error) => this.#tellFault(`participants can't be counted: ${error.message}`)),
      readStanding().catch((error: Error) => this.#tellFault(`ECS can't be asked: ${error.message}`)),
    ]);
    this.#load = load;
    this.#standing = standing ?? this.#standing;
    if (load !== undefined) this.#busySince = load === 0 ? undefined : (this.#busySince ?? now);
    const { supersededAt, isReplaced = false } = this.#standing ?? {};
    const decision = decide({ now, load, busySince: this.#busySince, supersededAt, isReplaced }, limits);
    if (decision.drain && !this.#draining) {
      this.#draining = true;
      log.info('another deployment has taken over: the task takes nothing new', { participants: load });
      drain();
    }
    await this.#apply(decision, now);
  }

  async #apply({ protect, why }: Decision, now: number): Promise<void> {
    const { protection, log } = this.#options;
    if (protect === undefined) return;
    if (why !== this.#why) log.info(protect ? 'the task is protected' : 'the task is not protected', { why });
    this.#why = why;
    // Whoever needs no protection is refused none.
    if (!protect) this.#blocked = false;
    if (protect && this.#protectedUntil - now < (protectionMinutes * 60_000) / 2) {
      if (this.#took(await protection.protect(protectionMinutes))) {
        this.#protectedUntil = now + protectionMinutes * 60_000;
      }
    } else if (!protect && this.#protectedUntil > 0) {
      if (this.#took(await protection.release())) this.#protectedUntil = 0;
    }
  }

  #took(answer: ProtectionAnswer): boolean {
    this.#blocked = !answer.ok && answer.reason === 'DEPLOYMENT_BLOCKED';
    if (answer.ok) return true;
    this.#tellFault(`ECS did not change the protection: ${answer.reason} ${answer.message}`.trim());
    return false;
  }

  /** Once, until another one comes. */
  #tellFault(fault: string): undefined {
    if (fault !== this.#lastFault) this.#options.log.warn(fault);
    this.#lastFault = fault;
  }
}

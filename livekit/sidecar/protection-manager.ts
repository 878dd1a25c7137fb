import type { DeploymentStatus } from './deployment-status.ts';
import type { Logger } from './logger.ts';

/** The reply of Amazon ECS to a change of the task's protection. */
type ProtectionReply =
  | { readonly ok: true }
  /** `DEPLOYMENT_BLOCKED`: more tasks are protected than the service wants, as while a deployment waits for calls. */
  | { readonly ok: false; readonly reason: string; readonly message: string };

/** The task's scale-in protection. */
interface Protection {
  /** @param minutes 1–2,880, after which the protection expires */
  protect(minutes: number): Promise<ProtectionReply>;
  release(): Promise<ProtectionReply>;
}

/** The ECS agent itself waits 4 s for ECS. */
const timeoutMs = 6_000;

/**
 * The task protection endpoint of the ECS agent. The task's role needs `ecs:UpdateTaskProtection`. A refusal by ECS
 * arrives as 200 with `failure`, everything else as an error status with `error`.
 *
 * @param agentUri `ECS_AGENT_URI`
 */
export function openProtection(agentUri: string): Protection {
  const url = `${agentUri.replace(/\/$/, '')}/task-protection/v1/state`;
  const put = async (body: object): Promise<ProtectionReply> => {
    try {
      const response = await fetch(url, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(timeoutMs),
      });
      return readReply(response.status, (await response.json()) as AgentResponse);
    } catch (error) {
      return { ok: false, reason: 'NO_RESPONSE', message: (error as Error).message };
    }
  };
  return {
    protect: (minutes) => put({ ProtectionEnabled: true, ExpiresInMinutes: minutes }),
    release: () => put({ ProtectionEnabled: false }),
  };
}

interface AgentResponse {
  readonly protection?: object;
  readonly failure?: { readonly Reason?: string; readonly Detail?: string | null };
  readonly error?: { readonly Code?: string; readonly Message?: string };
}

function readReply(status: number, { protection, failure, error }: AgentResponse): ProtectionReply {
  if (protection) return { ok: true };
  return {
    ok: false,
    reason: failure?.Reason ?? error?.Code ?? `HTTP ${status}`,
    message: failure?.Detail ?? error?.Message ?? '',
  };
}

export interface ProtectionLimits {
  /** How long a superseded task may keep its calls. */
  readonly maxCallDrainMs: number;
  /** How long a task that is never empty is protected: otherwise it could block scaling for ever. */
  readonly maxProtectionMs: number;
}

export interface ProtectionManagerOptions {
  readonly limits: ProtectionLimits;
  readonly protection: Protection;
  readonly readLoad: () => Promise<number>;
  /** @throws if ECS does not respond; the last known status then holds */
  readonly readDeploymentStatus: (now: number) => Promise<DeploymentStatus>;
  /** Called once, when the task is to accept no new rooms or calls. */
  readonly drain: () => void;
  readonly logger: Logger;
}

/** Protection ends soon after a sidecar has died. It is renewed when half of this time is over. */
const protectionMinutes = 10;

/** Protects one task while it has calls, check by check. */
export class ProtectionManager {
  readonly #options: ProtectionManagerOptions;
  #deployment: DeploymentStatus | undefined;
  #load: number | undefined;
  #busySince: number | undefined;
  #protectedUntil = 0;
  #isDraining = false;
  #isBlocked = false;
  #reason: Decision['reason'] | undefined;
  #lastFault = '';

  constructor(options: ProtectionManagerOptions) {
    this.#options = options;
  }

  /** The state that the metrics report. */
  get state() {
    return {
      load: this.#load,
      deployment: this.#deployment,
      isProtected: this.#protectedUntil > Date.now(),
      isBlocked: this.#isBlocked,
    };
  }

  async check(now = Date.now()): Promise<void> {
    const { readLoad, readDeploymentStatus, limits, logger, drain } = this.#options;
    const [load, deployment] = await Promise.all([
      readLoad().catch((error: Error) => this.#warnOnce(`participants can't be counted: ${error.message}`)),
      readDeploymentStatus(now).catch((error: Error) =>
        this.#warnOnce(`ECS does not respond: ${error.message}`),
      ),
    ]);
    this.#load = load;
    this.#deployment = deployment ?? this.#deployment;
    if (load !== undefined) this.#busySince = load === 0 ? undefined : (this.#busySince ?? now);
    const { supersededAt, isReplaced = false } = this.#deployment ?? {};
    const decision = decide({ now, load, busySince: this.#busySince, supersededAt, isReplaced }, limits);
    if (decision.drain && !this.#isDraining) {
      this.#isDraining = true;
      logger.info('another deployment has taken over: the task accepts nothing new', { participants: load });
      drain();
    }
    await this.#apply(decision, now);
  }

  async #apply({ protect, reason }: Decision, now: number): Promise<void> {
    const { protection, logger } = this.#options;
    if (protect === undefined) return;
    if (reason !== this.#reason)
      logger.info(protect ? 'the task is protected' : 'the task is not protected', { reason });
    this.#reason = reason;
    // ECS can't refuse a protection that nobody asks for.
    if (!protect) this.#isBlocked = false;
    const renewMs = (protectionMinutes * 60_000) / 2;
    if (protect && this.#protectedUntil - now < renewMs) {
      if (this.#succeeded(await protection.protect(protectionMinutes)))
        this.#protectedUntil = now + protectionMinutes * 60_000;
    } else if (!protect && this.#protectedUntil > 0) {
      if (this.#succeeded(await protection.release())) this.#protectedUntil = 0;
    }
  }

  #succeeded(reply: ProtectionReply): boolean {
    this.#isBlocked = !reply.ok && reply.reason === 'DEPLOYMENT_BLOCKED';
    if (reply.ok) return true;
    this.#warnOnce(`ECS did not change the protection: ${reply.reason} ${reply.message}`.trim());
    return false;
  }

  /** A fault is logged once, until another fault occurs. */
  #warnOnce(fault: string): undefined {
    if (fault !== this.#lastFault) this.#options.logger.warn(fault);
    this.#lastFault = fault;
  }
}

/** The state of the task at one check. Times are milliseconds since 1970. */
export interface TaskState {
  readonly now: number;
  /** Participants of a node, or jobs of an agent. Undefined: the number is not known now. */
  readonly load: number | undefined;
  /** Since when the task has had participants without a break. Undefined: it has none. */
  readonly busySince: number | undefined;
  /** When the deployment began that supersedes this task's. Undefined: this task's deployment is current. */
  readonly supersededAt: number | undefined;
  /** All tasks of the current deployment have run for a while, and none has failed meanwhile. */
  readonly isReplaced: boolean;
}

export interface Decision {
  /** Undefined: the protection stays as it is and expires by itself. */
  readonly protect: boolean | undefined;
  /** The task accepts no new rooms or calls. It never does again. */
  readonly drain: boolean;
  readonly reason: 'unknown' | 'empty' | 'busy' | 'call drain is over' | 'was never empty';
}

/**
 * Decides whether a task is protected and whether it drains. It is protected while it has participants, within the
 * limits. A superseded task drains only when its successors run well: otherwise no task would accept new rooms while they
 * start, or if they never get healthy.
 */
export function decide(state: TaskState, limits: ProtectionLimits): Decision {
  const { load, busySince, supersededAt, isReplaced, now } = state;
  const drain = supersededAt !== undefined && isReplaced;
  if (load === undefined) return { protect: undefined, drain, reason: 'unknown' };
  if (load === 0) return { protect: false, drain, reason: 'empty' };
  if (supersededAt !== undefined && now - supersededAt >= limits.maxCallDrainMs)
    return { protect: false, drain: true, reason: 'call drain is over' };
  if (busySince !== undefined && now - busySince >= limits.maxProtectionMs)
    return { protect: false, drain, reason: 'was never empty' };
  return { protect: true, drain, reason: 'busy' };
}

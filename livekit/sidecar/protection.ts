/** Amazon ECS's answer to a change of the task's protection. */
export type ProtectionAnswer =
  | { readonly ok: true }
  /** `DEPLOYMENT_BLOCKED`: more are protected than the service wants, as while a deployment waits for old tasks. */
  | { readonly ok: false; readonly reason: string; readonly message: string };

export interface Protection {
  /** @param minutes 1–2,880, after which it ends by itself */
  protect(minutes: number): Promise<ProtectionAnswer>;
  release(): Promise<ProtectionAnswer>;
}

/** The agent itself waits 4 s for ECS. */
const answerMs = 6_000;

/**
 * The task protection endpoint of the ECS agent, for a task with a role that may `ecs:UpdateTaskProtection`.
 * What ECS refuses comes as 200 with `failure`, everything else as an error status with `error`.
 *
 * @param agentUri `ECS_AGENT_URI`
 */
export function openProtection(agentUri: string): Protection {
  const url = `${agentUri.replace(/\/$/, '')}/task-protection/v1/state`;
  const put = async (body: object): Promise<ProtectionAnswer> => {
    try {
      const response = await fetch(url, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(answerMs),
      });
      return read(response.status, (await response.json()) as AgentAnswer);
    } catch (error) {
      return { ok: false, reason: 'NO_ANSWER', message: (error as Error).message };
    }
  };
  return {
    protect: (minutes) => put({ ProtectionEnabled: true, ExpiresInMinutes: minutes }),
    release: () => put({ ProtectionEnabled: false }),
  };
}

interface AgentAnswer {
  readonly protection?: object;
  readonly failure?: { readonly Reason?: string; readonly Detail?: string | null };
  readonly error?: { readonly Code?: string; readonly Message?: string };
}

function read(status: number, { protection, failure, error }: AgentAnswer): ProtectionAnswer {
  if (protection) return { ok: true };
  return {
    ok: false,
    reason: failure?.Reason ?? error?.Code ?? `HTTP ${status}`,
    message: failure?.Detail ?? error?.Message ?? '',
  };
}

/** The reply of Amazon ECS to a change of the task's protection. */
export type ProtectionReply =
  | { readonly ok: true }
  /** `DEPLOYMENT_BLOCKED`: more tasks are protected than the service wants, as while a deployment waits for calls. */
  | { readonly ok: false; readonly reason: string; readonly message: string };

/** The task's scale-in protection. */
export interface Protection {
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

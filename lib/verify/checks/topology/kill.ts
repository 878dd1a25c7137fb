import type { Context } from '../../check.ts';
import type { TopologyControl } from '../../target/target.ts';
import { until } from '../../wait.ts';

/** A client that comes back by itself. */
export interface ReturningClient {
  readonly instance: string;
  readonly isReady: boolean;
  /** Times that an instance welcomed it. */
  readonly connections: number;
  /** Why its last connection failed or ended. */
  readonly fault: string | undefined;
}

export interface Return<C extends ReturningClient> {
  /** From the kill to the last client's return, in milliseconds. */
  readonly ms: number;
  /** Those that did not come back in time. */
  readonly away: readonly C[];
}

/** Kills an instance, and waits for the clients that it served. When the check ends, it waits for the instance, too. */
export async function killAndReturn<C extends ReturningClient>(
  context: Context,
  control: TopologyControl,
  victim: string,
  displaced: readonly C[],
): Promise<Return<C>> {
  const before = new Map(displaced.map((client) => [client, client.connections]));
  const killedAt = performance.now();
  await kill(context, control, victim);
  const back = (client: C) => client.isReady && client.connections > (before.get(client) ?? 0);
  await until(() => displaced.every(back), context);
  const away = displaced.filter((client) => !back(client));
  return { ms: performance.now() - killedAt, away };
}

async function kill(context: Context, control: TopologyControl, id: string): Promise<void> {
  const pid = await pidOf(control, id);
  const killing = control.kill(id);
  context.afterwards({
    what: `wait for ${id} to be back`,
    run: async () => {
      const killed = await killing.then(
        () => true,
        () => false,
      );
      if (killed) await backInService(context, control, id, pid);
    },
  });
  await killing;
}

async function pidOf(control: TopologyControl, id: string): Promise<number | undefined> {
  return (await control.instances()).find((instance) => instance.id === id)?.pid;
}

async function backInService(
  { timeoutMs }: Context,
  control: TopologyControl,
  id: string,
  oldPid: number | undefined,
): Promise<void> {
  const isBack = async () => {
    const instance = (await control.instances()).find((each) => each.id === id);
    return instance?.serving === true && instance.pid !== oldPid;
  };
  // No signal here: Ctrl-C must not leave the topology one instance short.
  const back = await until(isBack, { timeoutMs, signal: new AbortController().signal });
  if (!back) throw new Error(`${id} was not started again within ${timeoutMs / 1_000} s`);
}

import type { BackplaneLinks } from '../redis/backplane.ts';
import { Script } from '../redis/script.ts';
import type { RateRule } from './rule.ts';

/** What is left of a caller's bucket, for all instances that it uses. */
export interface Settled {
  /** Below 0: a debt. */
  readonly tokens: number;
  readonly instances: number;
}

/** What an instance let through, in so many milliseconds. */
export interface Taken {
  readonly tokens: number;
  readonly overMs: number;
}

/** Undefined: Redis is away. */
export type Settle = (rule: RateRule, caller: string, taken: Taken) => Promise<Settled | undefined>;

/** Milliseconds from one settling to the next. */
export const settleEveryMs = 1_000;

export type SettleLinks = Pick<BackplaneLinks, 'available'> & {
  readonly commands: Pick<BackplaneLinks['commands'], 'connection'>;
};

const script = new Script(new URL('./scripts/settle.lua', import.meta.url));

/** Settles through Redis; the commands of one round go out in one write. */
export function settleBy(links: SettleLinks, deployment: string): Settle {
  return async ({ name, burst, perSecond }, caller, taken) => {
    const { connection } = links.commands;
    if (!connection || !links.available()) return undefined;
    const key = `${deployment}:limit:{${name}/${caller.replace(/[%{}]/g, encodeURIComponent)}}`;
    const reply = await script.run(
      connection,
      [key],
      [taken.tokens, burst, perSecond, settleEveryMs, Math.ceil(taken.overMs)],
    );
    const [thousandths, instances] = reply as [number, number];
    return { tokens: thousandths / 1_000, instances };
  };
}

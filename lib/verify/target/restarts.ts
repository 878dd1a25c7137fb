import { list } from '../wording.ts';
import type { Target } from './target.ts';

/** The instances that run, each with its process. */
export type Roster = ReadonlyMap<string, number | undefined>;

/** Undefined if there is no control to ask. */
export async function readRoster({ control }: Pick<Target, 'control'>): Promise<Roster | undefined> {
  const instances = await control?.instances().catch(() => undefined);
  return instances && new Map(instances.map(({ id, pid }) => [id, pid]));
}

/**
 * Describes the differences, such as `app-1 ended, app-2 was started again and app-3 came`. Undefined if there are
 * none.
 */
export function describeRestarts(before: Roster, after: Roster): string | undefined {
  const ended = [...before.keys()].filter((id) => !after.has(id));
  const came = [...after.keys()].filter((id) => !before.has(id));
  const restarted = [...after].filter(([id, pid]) => before.has(id) && before.get(id) !== pid);
  const parts = [
    ended.length > 0 && `${list(ended)} ended`,
    restarted.length > 0 && `${list(restarted.map(([id]) => id))} restarted`,
    came.length > 0 && `${list(came)} came`,
  ].filter((part) => part !== false);
  return parts.length > 0 ? list(parts) : undefined;
}

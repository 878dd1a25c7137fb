import { type CheckName, checkNames, liveKitCheckNames } from '../check.ts';
import type { LeftOut } from '../report.ts';
import type { Target } from '../target.ts';
import { isWithoutCalls } from './call-token.ts';

/** LiveKit's checks where there is none. Whoever names checks gets them, skipped with the reason. */
export async function leftOutOf(target: Target, asked: readonly CheckName[]): Promise<LeftOut | undefined> {
  if (asked.length < checkNames.length) return undefined;
  const nodes = (await target.liveKit?.nodes().catch(() => [])) ?? [];
  if (nodes.length > 0 || !(await isWithoutCalls(target))) return undefined;
  return { names: liveKitCheckNames, reason: 'no media server: its checks are left out' };
}

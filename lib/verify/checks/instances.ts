import type { Check } from '../check.ts';
import { placeOnEach } from '../placement.ts';
import { count } from '../words.ts';

export const instances: Check = {
  name: 'instances',
  title: 'Every instance answers through the proxy',
  needs: [],
  run: async (context) => {
    const { byInstance, opened } = await placeOnEach(context, 1, 'application');
    const ids = [...byInstance.keys()].join(', ');
    const number = byInstance.size;
    return {
      proved: `${number} of ${count(number, 'instance')} answered in ${count(opened, 'connection')}: ${ids}${note(context.target, number)}`,
    };
  },
};

/** A number that nobody stated proves less. */
function note(
  { control, instances: stated }: { control?: unknown; instances?: number },
  found: number,
): string {
  if (control || stated !== undefined) return '';
  return ` (all that were found; --instances ${found} makes it a demand)`;
}

import type { Check, Context } from '../../check.ts';
import { count } from '../../wording.ts';
import { placeOnEach } from './placement.ts';

export const instances: Check = {
  name: 'instances',
  title: 'Every instance answers through the proxy',
  needs: [],
  worksWithoutRooms: true,
  isOfSeveral: true,
  run: async (context) => {
    const { byInstance, opened } = await placeOnEach(context, 1, 'application');
    const ids = [...byInstance.keys()].join(', ');
    const number = byInstance.size;
    return {
      proved: `${number} of ${count(number, 'instance')} answered in ${count(opened, 'connection')}: ${ids}`,
      notProved: unlessDemanded(context, number),
    };
  },
};

function unlessDemanded({ target: { control, instances } }: Context, found: number): readonly string[] {
  if (control || instances !== undefined) return [];
  return [`that these are all: nobody said how many there are; --instances ${found} makes it a demand`];
}

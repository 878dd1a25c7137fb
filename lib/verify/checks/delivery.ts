import type { Check } from '../check.ts';
import { placeOnEach } from '../placement.ts';
import { deliverRound } from '../round.ts';
import { count, figure } from '../words.ts';

/** With plain clients: what an instance sends must be right as it comes, with nobody to ask for it again. */
export const delivery: Check = {
  name: 'delivery',
  title: 'Messages arrive exactly once and in order at everyone',
  needs: [],
  run: async (context) => {
    const { clients, byInstance } = await placeOnEach(context, context.load.clients, 'plain');
    const { messages } = context.load;
    const { arrived, expected } = (await deliverRound(context, clients, messages)).sum();
    return {
      proved: `${count(clients.length, 'client')} on ${count(byInstance.size, 'instance')}, ${count(messages, 'message')} each: ${figure(arrived)} of ${count(expected, 'delivery', 'deliveries')}, exactly once and in order`,
    };
  },
};

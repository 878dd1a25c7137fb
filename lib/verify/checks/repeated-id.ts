import { describeMoves, sendAway, untilElsewhere } from '../absence.ts';
import { type Check, CheckFailure } from '../check.ts';
import { explainRepeats } from '../explain-repeats.ts';
import { placeOnEach } from '../placement.ts';
import { type RepeatSum, Repeats } from '../repeats.ts';
import { enterAll, untilQuiet } from '../round.ts';
import { count, figure } from '../words.ts';

/** Two on one instance are told apart too. */
const sendersEach = 2;

export const repeatedId: Check = {
  name: 'repeated-id',
  title: 'A publish that is sent again is one message',
  needs: [],
  run: async (context) => {
    const areOneUser = context.target.tokens?.kind === 'one';
    const { clients, byInstance } = await placeOnEach(context, sendersEach, 'application');
    const repeats = new Repeats(context.clients.newRoom(), clients, areOneUser);
    await enterAll(clients, repeats.room, (client) => ({
      onMessage: (message) => repeats.hear(client, message),
    }));
    await repeats.publish();
    const { clients: connections } = await placeOnEach(context, 1, 'one-sender');
    await repeats.publishTogether(connections);
    const absences = await untilElsewhere(clients, byInstance.size, async (some) => {
      const latest = await sendAway(context, some, async () => undefined);
      await repeats.publishAgain(some);
      return latest;
    });
    const allHeard = await repeats.publishLast();
    await untilQuiet(context, allHeard, () => repeats.deliveries);
    const sum = repeats.sum();
    if (!isRight(sum)) throw new CheckFailure(await explainRepeats(context.target.url, sum));
    return {
      proved: `${describe(sum, areOneUser)} (${describeMoves(absences)})`,
      notProved: areOneUser
        ? ["that an id is one user's alone: the token given makes all clients one user"]
        : [],
    };
  },
};

function isRight({ here, cameBack, together, ...sum }: RepeatSum): boolean {
  const wrong = here.wrong + cameBack.wrong + together.wrong;
  return wrong === 0 && sum.positions === sum.messages && sum.deliveries === sum.expected;
}

function describe({ here, cameBack, together, messages, expected }: RepeatSum, areOneUser: boolean): string {
  return [
    `${count(messages, 'message')}${areOneUser ? '' : ' whose senders use the same ids'}, each at a position of its own`,
    `${figure(expected)} deliveries, none twice`,
    `answered with the first position: ${count(here.number, 'repeat')} on the same connection, ${together.number} at once on all instances, ${cameBack.number} after coming back`,
  ].join('; ');
}

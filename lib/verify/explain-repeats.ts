import type { Fault } from './check.ts';
import { noBackplane, servesAlone } from './explain-round.ts';
import type { RepeatSum } from './repeats.ts';
import { count, figure, list } from './words.ts';

/** What is wrong with repeats of published ids, and the likely cause. */
export async function explainRepeats(url: string, sum: RepeatSum): Promise<Fault> {
  const found = describe(sum);
  if (sum.here.wrong > 0) return { found, ...notLookedUp };
  if (sum.positions < sum.messages) return { found, ...withoutSender };
  if (await servesAlone(url)) return { found, ...(await noBackplane(url)) };
  if (sum.cameBack.wrong + sum.together.wrong > 0) return { found, ...senderOfConnection };
  return { found, ...(sum.deliveries > sum.expected ? publishedAgain : notHeard) };
}

function describe(sum: RepeatSum): string {
  const { here, cameBack, together, messages, positions, expected, deliveries } = sum;
  const parts = [
    answered(here, 'on the same connection'),
    answered(cameBack, 'after coming back'),
    answered(together, 'of one sender on several connections at once'),
    positions < messages &&
      `${count(messages, 'message')} of different senders share ${count(positions, 'position')}`,
    deliveries !== expected && `${figure(deliveries)} deliveries were heard instead of ${figure(expected)}`,
  ].filter((part) => part !== false);
  return list(parts);
}

function answered({ number, wrong }: RepeatSum['here'], where: string): string | false {
  return wrong > 0 && `${wrong} of ${count(number, 'repeat')} ${where} got a position of their own`;
}

const notLookedUp = {
  cause: 'the ids of publishes are not looked up, or repeats that come at the same time pass one another',
  fix: 'look the id up and write it in the one script that appends the message',
};

const withoutSender = {
  cause: 'ids are looked up without their sender: one can make the message of another disappear',
  fix: "let the key of an id hold the hub, the room and the sender's subject",
};

const senderOfConnection = {
  cause: 'a client that comes back is taken for another sender, so that its repeats are written again',
  fix: 'let `subjectOf` name the user, the same over all connections and instances, and not the connection',
};

const publishedAgain = {
  cause: 'a repeat is answered rightly and sent to the members all the same',
  fix: 'end the append where the id is found, before it publishes',
};

const notHeard = {
  cause: 'messages between repeats did not reach everyone: an instance does not follow the room',
  fix: 'see what the checks `delivery` and `recovery` say',
};

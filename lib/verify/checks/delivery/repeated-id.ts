import { type Check, CheckFailure, type Fault, unlessSeveral } from '../../check.ts';
import { count, figure, list } from '../../wording.ts';
import { placeOnEach } from '../connecting/placement.ts';
import { enterAll, untilQuiet } from './delivery.ts';
import { noBackplane, servesAlone } from './explain-exchange.ts';
import { cutOff, describeReconnections, reconnectElsewhere } from './reconnections.ts';
import { type RepeatReport, Repeats } from './repeats.ts';

/** Two clients on one instance are different senders, too. */
const sendersEach = 2;

export const repeatedId: Check = {
  name: 'repeated-id',
  title: 'A publish that is sent again is one message',
  needs: [],
  isOfSeveral: true,
  run: async (context) => {
    const areOneUser = context.tokens.kind === 'one';
    const { clients, byInstance } = await placeOnEach(context, sendersEach, 'application');
    const repeats = new Repeats(context.clients.newRoom(), clients, areOneUser);
    await enterAll(clients, repeats.room, (client) => ({
      onMessage: (message) => repeats.delivered(client, message),
    }));
    await repeats.publish();
    const { clients: connections } = await placeOnEach(context, 1, 'one-sender');
    await repeats.publishTogether(connections);
    const reconnections = await reconnectElsewhere(clients, byInstance.size, async (some) => {
      const latest = await cutOff(context, some, async () => undefined);
      await repeats.publishAgain(some);
      return latest;
    });
    const allDelivered = await repeats.publishLast();
    await untilQuiet(context, allDelivered, () => repeats.deliveries);
    const report = repeats.report();
    if (!isRight(report)) throw new CheckFailure(await explain(context.target.url, report));
    return {
      proved: `${describe(report, areOneUser)} (${describeReconnections(reconnections)})`,
      notProved: [
        ...(areOneUser ? ["that an id is one user's alone: the token given makes all clients one user"] : []),
        ...unlessSeveral(byInstance.size, 'that a repeat is found by another instance'),
      ],
    };
  },
};

function isRight({ here, cameBack, together, ...report }: RepeatReport): boolean {
  const wrong = here.wrong + cameBack.wrong + together.wrong;
  return wrong === 0 && report.positions === report.messages && report.deliveries === report.expected;
}

function describe(
  { here, cameBack, together, messages, expected }: RepeatReport,
  areOneUser: boolean,
): string {
  return [
    `${count(messages, 'message')}${areOneUser ? '' : ' whose senders use the same ids'}, each at a position of its own`,
    `${figure(expected)} deliveries, none twice`,
    `acknowledged with the first position: ${count(here.number, 'repeat')} on the same connection, ${together.number} at once on all instances, ${cameBack.number} after coming back`,
  ].join('; ');
}

/** Describes what is wrong with repeats of published ids, and the likely cause. */
async function explain(url: string, report: RepeatReport): Promise<Fault> {
  const found = describeFaults(report);
  if (report.here.wrong > 0) return { found, ...notLookedUp };
  if (report.positions < report.messages) return { found, ...withoutSender };
  if (await servesAlone(url)) return { found, ...(await noBackplane(url)) };
  if (report.cameBack.wrong + report.together.wrong > 0) return { found, ...senderOfConnection };
  return { found, ...(report.deliveries > report.expected ? publishedAgain : notDelivered) };
}

function describeFaults(report: RepeatReport): string {
  const { here, cameBack, together, messages, positions, expected, deliveries } = report;
  const parts = [
    misplaced(here, 'on the same connection'),
    misplaced(cameBack, 'after coming back'),
    misplaced(together, 'of one sender on several connections at once'),
    positions < messages &&
      `${count(messages, 'message')} of different senders share ${count(positions, 'position')}`,
    deliveries !== expected && `${figure(deliveries)} deliveries came instead of ${figure(expected)}`,
  ].filter((part) => part !== false);
  return list(parts);
}

function misplaced({ number, wrong }: RepeatReport['here'], where: string): string | false {
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
  cause: 'a repeat is acknowledged rightly and sent to the members all the same',
  fix: 'end the append where the id is found, before it publishes',
};

const notDelivered = {
  cause: 'messages between repeats did not reach everyone: an instance does not follow the room',
  fix: 'see what the checks `delivery` and `recovery` say',
};

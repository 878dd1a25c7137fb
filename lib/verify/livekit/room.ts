import { setTimeout as delay } from 'node:timers/promises';
import { liveKitPorts } from '../../../livekit/config/ports.ts';
import { type Check, CheckFailure, type Context } from '../check.ts';
import { until } from '../wait.ts';
import { count, figure, list } from '../wording.ts';
import { type Door, joinThrough, publicDoor, type Side } from './call.ts';

export const liveKitRoom: Check = {
  name: 'livekit-room',
  title: 'A call joined through every LiveKit node is one call',
  needs: [],
  run: async (context) => {
    const doors = await doorsOf(context);
    const sides = await joinThrough(context, doors, context.clients.newName());
    await meet(context, sides);
    const messages = await countMessages(context, sides);
    const frames = await countAudio(context, sides);
    return {
      proved: [
        `one room joined through ${list(doors.map(({ name }) => name))}`,
        `${figure(messages)} of ${count(messages, 'reliable message')}, in order`,
        `a tone arrived at ${count(frames.length, 'side')}: ${list(frames.map(figure))} audible frames of 10 ms`,
      ].join('; '),
      ...(doors.length > 2 ? {} : { notProved: [acrossNodes] }),
    };
  },
};

const acrossNodes =
  'that it was another node: the nodes can be named where `npm start` runs at least two of them here';

/** Each node directly if they can be reached, and once as the page joins; at least two doors. */
async function doorsOf({ target }: Context): Promise<Door[]> {
  const nodes = (await target.liveKit?.nodes()) ?? [];
  const own = nodes.flatMap(({ id, url }) => (url === undefined ? [] : [{ name: id, url }]));
  if (own.length > 1) return [...own, publicDoor];
  return [publicDoor, { ...publicDoor, name: 'the same again' }];
}

const greetMs = 100;

/**
 * Sends until each receives from each of the others: a participant that has joined may not be connected to all yet.
 */
async function meet(context: Context, sides: readonly Side[]): Promise<void> {
  const missing = () =>
    sides.flatMap((side, to) =>
      sides.flatMap((other, from) =>
        from === to || side.participant.received.includes(`hello ${from}`)
          ? []
          : [{ from: other.name, to: side.name }],
      ),
    );
  const met = await until(async () => {
    await Promise.all(sides.map(({ participant }, index) => participant.say(`hello ${index}`)));
    await delay(greetMs);
    return missing().length === 0;
  }, context);
  if (!met) throw new CheckFailure(neverMet(missing(), context.timeoutMs));
}

/** @returns how many messages arrived, which is all */
async function countMessages(context: Context, sides: readonly Side[]): Promise<number> {
  const each = context.load.messages;
  await Promise.all(
    sides.map(async ({ participant }, from) => {
      for (let n = 0; n < each; n += 1) await participant.say(`m ${from} ${n}`);
    }),
  );
  const receivedFrom = ({ participant }: Side, from: number) =>
    participant.received.filter((text) => text.startsWith(`m ${from} `));
  const pairs = sides.flatMap((to, index) =>
    sides.flatMap((_, from) => (from === index ? [] : [{ to, from }])),
  );
  const arrived = () => pairs.reduce((sum, { to, from }) => sum + receivedFrom(to, from).length, 0);
  const expected = pairs.length * each;
  await until(() => arrived() >= expected, context);
  const inOrder = pairs.every(({ to, from }) =>
    receivedFrom(to, from).every((text, n) => text === `m ${from} ${n}`),
  );
  if (arrived() !== expected || !inOrder) throw new CheckFailure(notAllArrived(arrived(), expected, inOrder));
  return expected;
}

/** A second of audio. */
const audibleFrames = 100;

/** Lets the first participant send audio. @returns the audible frames at each of the others */
async function countAudio(context: Context, sides: readonly Side[]): Promise<number[]> {
  const [speaker, ...listeners] = sides as readonly [Side, ...Side[]];
  await speaker.participant.speak();
  const deaf = () => listeners.filter(({ participant }) => participant.audio.audible < audibleFrames);
  if (await until(() => deaf().length === 0, context)) {
    return listeners.map(({ participant }) => participant.audio.audible);
  }
  throw new CheckFailure(notAudible(speaker, deaf(), context.timeoutMs));
}

export function neverMet(missing: readonly { from: string; to: string }[], timeoutMs: number) {
  const pairs = missing.map(({ from, to }) => `${from} to ${to}`);
  return {
    found: `data did not come through within ${timeoutMs / 1_000} s: ${list(pairs)}`,
    cause: 'the nodes do not share one Redis, so that each has a room of its own, or media ports are closed',
    fix: `compare what the nodes were given as LIVEKIT_CONFIG (a wrong variable name is ignored), and open UDP and TCP ${liveKitPorts.mediaTcp}`,
  };
}

export function notAllArrived(arrived: number, expected: number, inOrder: boolean) {
  return {
    found: `${figure(arrived)} of ${count(expected, 'reliable message')} arrived${inOrder ? '' : ', not in order'}`,
    cause: 'the connection between participants and nodes broke meanwhile',
    fix: "look in the nodes' logs at this moment",
  };
}

export function notAudible(speaker: Door, deaf: readonly Side[], timeoutMs: number) {
  const frames = deaf.map(
    ({ name, participant: { audio } }) => `${name} ${audio.audible} of ${audio.frames}`,
  );
  return {
    found: `the tone spoken through ${speaker.name} did not arrive for a second within ${timeoutMs / 1_000} s; audible frames: ${list(frames)}`,
    cause: 'media is lost on its way: UDP is blocked, or the nodes name an address that clients do not reach',
    fix: 'look at the media ports in the firewall, and at the address that the nodes log at their start',
  };
}

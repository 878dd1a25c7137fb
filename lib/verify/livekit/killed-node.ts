import { setTimeout as delay } from 'node:timers/promises';
import { type Check, CheckFailure, type Context, NotProvedError } from '../check.ts';
import type { LiveKitControl, LiveKitNode } from '../target/target.ts';
import { until } from '../wait.ts';
import { count, duration } from '../wording.ts';
import { joinThrough, publicDoor, type Side } from './call.ts';
import { openRecords } from './nodes.ts';

export const liveKitKilledNode: Check = {
  name: 'livekit-killed-node',
  title: 'A call comes back when its LiveKit node is killed',
  needs: ['control'],
  run: async (context) => {
    const liveKit = await controlOf(context);
    const room = context.clients.newName();
    const [speaker, listener] = (await joinThrough(context, [publicDoor, publicDoor], room)) as [Side, Side];
    await speaker.participant.speak();
    if (!(await hears(context, listener, enoughFrames)))
      throw new CheckFailure(neverBegan(context.timeoutMs));
    const host = await hostOf(liveKit, room);
    const killedAt = performance.now();
    await kill(context, liveKit, host);
    const ms = await comeBack(context, host, speaker, listener, killedAt);
    return {
      proved: `${host.id} had the call and was killed; audio and data went through again ${duration(ms)} later, for both participants without a new join of theirs`,
    };
  },
};

/** Half a second of audio, more than any buffer holds. */
const enoughFrames = 50;
const sayMs = 100;

async function controlOf({ target: { liveKit } }: Context): Promise<LiveKitControl> {
  const nodes = (await liveKit?.nodes()) ?? [];
  if (!liveKit || nodes.length === 0)
    throw new NotProvedError('LiveKit runs elsewhere, not in this topology');
  if (nodes.length < 2) throw new NotProvedError('one LiveKit node runs, and none would take its calls');
  return liveKit;
}

/** Finds the node that hosts the room. Redis has its id, and each node has its own id in its metrics. */
async function hostOf(liveKit: LiveKitControl, room: string): Promise<LiveKitNode> {
  if (!liveKit.redis)
    throw new NotProvedError("the nodes' Redis can't be read, so that the call's node is not known");
  const records = openRecords(liveKit.redis);
  try {
    const id = await records.hostOf(room);
    for (const node of await liveKit.nodes()) {
      if (
        id !== undefined &&
        node.metricsUrl !== undefined &&
        (await metricsOf(node.metricsUrl)).includes(id)
      ) {
        return node;
      }
    }
    throw new Error(`no node that runs here says that it is ${id ?? 'the one with the call'}`);
  } finally {
    records.close();
  }
}

async function metricsOf(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
  return response.text();
}

async function kill(context: Context, liveKit: LiveKitControl, { id, pid }: LiveKitNode): Promise<void> {
  context.afterwards({
    what: `wait for ${id} to be back`,
    run: async () => {
      const isBack = async () => {
        const node = (await liveKit.nodes()).find((each) => each.id === id);
        return node?.serving === true && node.pid !== pid;
      };
      // No signal here: Ctrl-C must not leave the topology one node short.
      const patience = { timeoutMs: context.timeoutMs, signal: new AbortController().signal };
      if (!(await until(isBack, patience))) {
        throw new Error(`${id} was not started again within ${context.timeoutMs / 1_000} s`);
      }
    },
  });
  await liveKit.kill(id);
}

/** @returns milliseconds from the kill until audio and data of after it came through */
async function comeBack(
  context: Context,
  host: LiveKitNode,
  { participant: speaker }: Side,
  listener: Side,
  killedAt: number,
): Promise<number> {
  const { received, audio } = listener.participant;
  const [said, before] = ['after the kill', audio.audible];
  let isSaying = false;
  // It fails, or waits, while there is no connection.
  const say = async () => {
    if (isSaying) return;
    isSaying = true;
    await speaker.say(said).catch(() => undefined);
    isSaying = false;
  };
  const back = await until(async () => {
    void say();
    await delay(sayMs);
    return received.includes(said) && audio.audible - before >= enoughFrames;
  }, context);
  if (back) return performance.now() - killedAt;
  throw new CheckFailure(neverBack(host, received.includes(said), audio.audible - before, context.timeoutMs));
}

function hears(context: Context, { participant }: Side, frames: number): Promise<boolean> {
  return until(() => participant.audio.audible >= frames, context);
}

function neverBegan(timeoutMs: number) {
  return {
    found: `the tone did not arrive within ${timeoutMs / 1_000} s, before anything was killed`,
    cause: 'calls do not work: see livekit-room',
    fix: 'let livekit-room pass first',
  };
}

export function neverBack({ id }: Pick<LiveKitNode, 'id'>, data: boolean, frames: number, timeoutMs: number) {
  return {
    found: `${timeoutMs / 1_000} s after ${id} was killed the call was not back: data ${data ? 'came through' : 'did not'}, ${count(frames, 'audible frame')} came`,
    cause: 'the proxy still sends signalling to the dead node, or the other nodes do not share its Redis',
    fix: 'look whether livekit-nodes passes, and how soon the proxy takes a dead node out',
  };
}

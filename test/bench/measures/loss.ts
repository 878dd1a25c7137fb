import { setTimeout as delay } from 'node:timers/promises';
import { Child } from '../children.ts';
import type { Instance } from '../instance.ts';
import type { LossFigures, LossLoad, TalkRequest } from '../load/loss.ts';
import { type BenchContext, inTurns, type Rounds } from '../rounds.ts';
import { openStage } from '../stage.ts';
import type { Variant } from '../variants.ts';

const rooms = 30;
const membersPerRoom = 10;
const talk: TalkRequest = { perSecond: 20, forMs: 7_000 };
/** Into the talk, in milliseconds. */
const signalAfterMs = 2_000;
/** Behind it: a client that was turned away once or twice is back by then. */
const longestSettleMs = 4_000;

/** What the end of one instance of three costs the clients of all. */
export function measureLoss(
  context: BenchContext,
  signal: 'SIGTERM' | 'SIGKILL',
): Promise<Rounds<LossFigures>> {
  return inTurns(
    context,
    signal,
    (variant) => measureOnce(variant, signal),
    // Bare WebSockets have no client that comes back, and the bench has none of Centrifugo's.
    ({ name }) => name !== 'floor' && name !== 'centrifugo',
  );
}

async function measureOnce(variant: Variant, signal: NodeJS.Signals): Promise<LossFigures> {
  const stage = await openStage(variant, { instances: 3 });
  const clients = new Child('load/loss');
  try {
    const load: LossLoad = { dialect: variant.dialect, ports: stage.ports, rooms, membersPerRoom };
    await clients.ask('connect', load);
    const talking = clients.ask('talk', talk);
    await delay(signalAfterMs);
    await stage.lose(stage.instances.at(-1) as Instance, signal);
    await talking;
    return await settled(clients);
  } finally {
    await clients.end();
    await stage.close();
  }
}

/** Waits for what may still arrive, and no longer than it must. */
async function settled(clients: Child): Promise<LossFigures> {
  const deadline = Date.now() + longestSettleMs;
  for (;;) {
    await delay(500);
    const figures = await clients.ask<LossFigures>('figures');
    if (figures.lost === 0 || Date.now() > deadline) return figures;
  }
}

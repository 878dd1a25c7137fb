import { type Random, seededRandom } from '../../support/random.ts';

/** One thing that happens. `who` is taken modulo those that are there then. */
export type Step =
  | { readonly step: 'publish'; readonly count: number; readonly who: number }
  | { readonly step: 'join'; readonly room: number; readonly from: JoinFrom; readonly who: number }
  | { readonly step: 'leave'; readonly who: number }
  | { readonly step: 'cut client'; readonly who: number }
  | { readonly step: 'mute client'; readonly towards: Direction; readonly who: number }
  | { readonly step: 'cut link'; readonly link: Link; readonly who: number }
  | { readonly step: 'mute link'; readonly link: Link; readonly towards: Direction; readonly who: number }
  | { readonly step: 'kill instance'; readonly who: number }
  | { readonly step: 'add instance' }
  | { readonly step: 'stop instance'; readonly ms: number; readonly who: number }
  | { readonly step: 'stop Redis'; readonly ms: number; readonly server: 'primary' | 'replica' }
  | { readonly step: 'failover'; readonly lossy: boolean; readonly behindMs: number; readonly former: Former }
  | { readonly step: 'expire'; readonly room: number }
  | { readonly step: 'flush' }
  | { readonly step: 'foreign payload'; readonly room: number; readonly payload: number }
  | { readonly step: 'wait'; readonly ms: number };

/** From now on, from a position that some client of the room was at, or from one that no log ever had. */
export type JoinFrom = 'now' | 'delivered' | 'unknown';

/** What a connection that stays open carries no more. */
export type Direction = 'toTarget' | 'toClient';

/** One of an instance's connections to Redis, or all. */
export type Link = 'commands' | 'subscriptions' | 'both';

/** What becomes of the old primary: `apart` it goes on as one beside the new one, and nobody tells it. */
export type Former = 'killed' | 'demoted' | 'apart';

export interface Plan {
  readonly seed: number;
  readonly fanout: 'direct' | 'adapter';
  readonly acks: 'primary' | 'replica';
  readonly backplane: 'required' | 'preferred';
  /** Each instance knows both servers, or a name that leads to the primary and moves. */
  readonly endpoints: 'both' | 'one name';
  /** Instances are processes of their own, which can be stopped; else they are in the test's. */
  readonly areProcesses: boolean;
  readonly instances: number;
  readonly rooms: number;
  /** In each room from the start to the end. */
  readonly residents: number;
  /** How long ids are known, in milliseconds; senders stop trying before that. */
  readonly idWindowMs: number;
  /** Messages that a room's log has. */
  readonly logMessages: number;
  readonly steps: readonly Step[];
  /** Some step loses what was delivered: then, and only then, clients may be notified of a loss. */
  readonly loses: boolean;
  /** Some step loses what was acknowledged. */
  readonly drops: boolean;
  /** Publishes may end in an error: senders try for a shorter time than what happens lasts. */
  readonly mayFail: boolean;
}

/** A window of ids that stalls are longer than. */
const shortWindowMs = 8_000;
const windowMs = 120_000;

export interface PlanOptions {
  /** Instances in the test's own process alone: one of its own takes a second to start. @default false */
  readonly withoutProcesses?: boolean;
}

/** What happens under a seed: the same each time, though not to the millisecond. */
export function planOf(seed: number, { withoutProcesses = false }: PlanOptions = {}): Plan {
  const random = seededRandom(seed);
  const rooms = 1 + random.below(3);
  // Half of all histories lose nothing, so that a loss that is reported without reason shows.
  const mayLose = random.chance(0.5);
  const isShort = random.chance(0.2);
  const isSmall = mayLose && random.chance(0.2);
  const backplane = mayLose && random.chance(0.2) ? 'preferred' : 'required';
  const acks = backplane === 'required' && random.chance(0.25) ? 'replica' : 'primary';
  const areProcesses = random.chance(0.25) && !withoutProcesses;
  const draw: Draw = { random, rooms, mayLose, areProcesses };
  const steps = Array.from({ length: 15 + random.below(16) }, () => drawStep(draw));
  const isAlone = backplane === 'preferred';
  const empties = steps.some(({ step }) => step === 'expire' || step === 'flush');
  const isLossy = steps.some((one) => one.step === 'failover' && one.lossy);
  return {
    seed,
    fanout: random.chance(0.7) ? 'direct' : 'adapter',
    acks,
    backplane,
    endpoints: random.chance(0.5) ? 'both' : 'one name',
    areProcesses,
    instances: 2 + random.below(2),
    rooms,
    residents: 2 + random.below(2),
    idWindowMs: isShort ? shortWindowMs : windowMs,
    logMessages: isSmall ? 30 : 1_000,
    steps,
    loses: isAlone || empties || isLossy || isSmall,
    drops: isAlone || empties || isSmall || (isLossy && acks === 'primary'),
    mayFail: isShort,
  };
}

const weights: readonly [Step['step'], number][] = [
  ['publish', 12],
  ['wait', 6],
  ['join', 4],
  ['leave', 2],
  ['cut client', 3],
  ['mute client', 1],
  ['cut link', 3],
  ['mute link', 1],
  ['kill instance', 2],
  ['add instance', 2],
  ['stop instance', 2],
  ['stop Redis', 1],
  ['failover', 2],
  ['expire', 1],
  ['flush', 1],
  ['foreign payload', 2],
];

interface Draw {
  readonly random: Random;
  readonly rooms: number;
  readonly mayLose: boolean;
  readonly areProcesses: boolean;
}

const links: readonly Link[] = ['commands', 'subscriptions', 'both'];
const directions: readonly Direction[] = ['toTarget', 'toClient'];
/** Milliseconds: unnoticed, longer than a beat, longer than a connection is waited for. */
const stops: readonly number[] = [300, 2_000, 6_500];

function drawStep(draw: Draw): Step {
  const { random, rooms, mayLose, areProcesses } = draw;
  const step = drawKind(random);
  const who = random.below(1_000);
  const room = random.below(rooms);
  const idle: Step = { step: 'wait', ms: 50 };
  switch (step) {
    case 'publish':
      return { step, count: 1 + random.below(25), who };
    case 'wait':
      return { step, ms: random.below(250) };
    case 'join':
      return { step, room, from: random.pick(['now', 'delivered', 'unknown']), who };
    case 'mute client':
      return { step, towards: random.pick(directions), who };
    case 'cut link':
      return { step, link: random.pick(links), who };
    case 'mute link':
      return { step, link: random.pick(links), towards: random.pick(directions), who };
    case 'stop instance':
      return areProcesses ? { step, ms: random.pick(stops), who } : idle;
    case 'stop Redis':
      return { step, ms: random.pick(stops), server: random.pick(['primary', 'replica']) };
    case 'failover':
      return drawFailover(random, mayLose);
    case 'expire':
      return mayLose ? { step, room } : idle;
    case 'flush':
      return mayLose ? { step } : idle;
    case 'foreign payload':
      return { step, room, payload: who };
    case 'add instance':
      return { step };
    default:
      return { step, who };
  }
}

/** Two primaries take writes, so that those of one are lost. */
function drawFailover(random: Random, mayLose: boolean): Step {
  const former = random.pick(
    mayLose ? (['killed', 'demoted', 'apart'] as const) : (['killed', 'demoted'] as const),
  );
  const isLossy = random.chance(0.6) && mayLose;
  return {
    step: 'failover',
    lossy: isLossy || former === 'apart',
    behindMs: random.pick([60, 60, 1_500]),
    former,
  };
}

function drawKind(random: Random): Step['step'] {
  let left = random.below(weights.reduce((sum, [, weight]) => sum + weight, 0));
  for (const [kind, weight] of weights) {
    left -= weight;
    if (left < 0) return kind;
  }
  return 'wait';
}

/** A plan as a person reads it. */
export function describePlan({ steps, ...plan }: Plan): string {
  const lines = steps.map(({ step, ...rest }) => {
    const details = Object.entries(rest).map(([key, value]) => `${key} ${value}`);
    return `  ${[step, ...details].join(', ')}`;
  });
  const start = Object.entries(plan).map(([key, value]) => `${key} ${value}`);
  return [start.join(', '), ...lines].join('\n');
}

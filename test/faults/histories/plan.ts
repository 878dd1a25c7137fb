import { type Random, seededRandom } from '../../support/random.ts';

/** One thing that happens. `who` is taken modulo those that are there then. */
export type Step =
  | { readonly step: 'publish'; readonly count: number; readonly who: number }
  | { readonly step: 'join'; readonly room: number; readonly from: JoinFrom; readonly who: number }
  | { readonly step: 'leave'; readonly who: number }
  | { readonly step: 'cut client'; readonly who: number }
  | { readonly step: 'cut links'; readonly link: 'commands' | 'subscriptions' | 'both'; readonly who: number }
  | { readonly step: 'kill instance'; readonly who: number }
  | { readonly step: 'add instance' }
  | { readonly step: 'failover'; readonly lossy: boolean; readonly former: 'killed' | 'demoted' }
  | { readonly step: 'expire'; readonly room: number }
  | { readonly step: 'wait'; readonly ms: number };

/** From now on, from a position that some client of the room was at, or from one that no log ever had. */
export type JoinFrom = 'now' | 'delivered' | 'unknown';

export interface Plan {
  readonly seed: number;
  readonly fanout: 'direct' | 'adapter';
  readonly instances: number;
  readonly rooms: number;
  /** In each room from the start to the end. */
  readonly residents: number;
  readonly steps: readonly Step[];
  /** Some step loses what was acknowledged: then, and only then, clients may be told of a loss. */
  readonly loses: boolean;
}

/** What happens under a seed: the same each time, though not to the millisecond. */
export function planOf(seed: number): Plan {
  const random = seededRandom(seed);
  const rooms = 1 + random.below(3);
  // Half of all histories lose nothing, so that a loss that is told without reason shows.
  const mayLose = random.chance(0.5);
  const steps = Array.from({ length: 15 + random.below(16) }, () => drawStep(random, rooms, mayLose));
  return {
    seed,
    fanout: random.chance(0.7) ? 'direct' : 'adapter',
    instances: 2 + random.below(2),
    rooms,
    residents: 2 + random.below(2),
    steps,
    loses: steps.some((one) => one.step === 'expire' || (one.step === 'failover' && one.lossy)),
  };
}

const weights: readonly [Step['step'], number][] = [
  ['publish', 10],
  ['wait', 6],
  ['join', 4],
  ['leave', 2],
  ['cut client', 3],
  ['cut links', 3],
  ['kill instance', 2],
  ['add instance', 2],
  ['failover', 2],
  ['expire', 1],
];

function drawStep(random: Random, rooms: number, mayLose: boolean): Step {
  const step = drawKind(random);
  const who = random.below(1_000);
  if (step === 'publish') return { step, count: 1 + random.below(25), who };
  if (step === 'wait') return { step, ms: random.below(250) };
  if (step === 'join') {
    return { step, room: random.below(rooms), from: random.pick(['now', 'delivered', 'unknown']), who };
  }
  if (step === 'cut links') return { step, link: random.pick(['commands', 'subscriptions', 'both']), who };
  if (step === 'failover') {
    const former = random.pick(['killed', 'demoted'] as const);
    return { step, lossy: random.chance(0.6) && mayLose, former };
  }
  if (step === 'expire') return mayLose ? { step, room: random.below(rooms) } : { step: 'wait', ms: 50 };
  if (step === 'add instance') return { step };
  return { step, who };
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
export function describePlan({ seed, fanout, instances, rooms, residents, steps }: Plan): string {
  const lines = steps.map(({ step, ...rest }) => {
    const details = Object.entries(rest).map(([key, value]) => `${key} ${value}`);
    return `  ${[step, ...details].join(', ')}`;
  });
  const start = `${instances} instances, ${rooms} rooms, ${residents} residents in each, fan-out ${fanout}`;
  return [`seed ${seed}: ${start}`, ...lines].join('\n');
}

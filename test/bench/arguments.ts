import { parseArgs } from 'node:util';
import { before, type Variant, variants } from './variants.ts';

export const measureNames = [
  'connect',
  'storm',
  'cpu-room',
  'cpu-small-rooms',
  'memory',
  'heap',
  'redis',
  'shards',
  'loss',
  'boot',
  'signalr',
] as const;
export type MeasureName = (typeof measureNames)[number];

/** What the bench was asked for. */
export interface BenchArguments {
  readonly measures: readonly MeasureName[];
  readonly variants: readonly Variant[];
  readonly rounds: number;
  readonly quick: boolean;
  /** A commit whose service is measured as well. */
  readonly before: string | undefined;
  readonly json: boolean;
  /** Keep the results in lib/cost/measured.json and the README. */
  readonly write: boolean;
  readonly profile: boolean;
  readonly count: boolean;
  readonly help: boolean;
}

export const usage = `npm run bench -- [options]

  --only <measures>      of ${measureNames.join(',')}  (default: all)
  --variants <variants>  of ${variants.map(({ name }) => name).join(',')}  (default: all)
  --before <commit>      also measures the service of that commit, as the variant before
  --node-options <flags> flags of Node for this project's instances of now in place of the image's: with --before HEAD what they change
  --rounds <n>           each variant takes its turn so many times; medians are reported  (default: 3)
  --quick                one round, less load: shows that it works, not how well
  --profile              also profiles connect and the deliveries: self time by layer
  --count                also counts their system calls, with strace, and their commands in Redis
  --json                 figures as JSON instead of the table
  --write                also keeps the figures, for \`npm run cost\` and the README; needs a complete bench
`;

/** @throws Error that says what can't be read */
export function readArguments(args: readonly string[]): BenchArguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      variants: { type: 'string' },
      before: { type: 'string' },
      'node-options': { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      count: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (
    values.write &&
    (values.only || values.variants || values.quick || values.before || values['node-options'])
  )
    throw new Error(
      '--write must stand without --only, --variants, --quick, --before and --node-options: it keeps a complete bench',
    );
  return {
    measures: choose('--only', values.only, measureNames),
    variants: chooseVariants(values.variants, values.before === undefined ? [] : [before]).map((variant) =>
      variant.name === 'ours' && values['node-options'] !== undefined
        ? { ...variant, nodeOptions: values['node-options'].split(' ').filter(Boolean) }
        : variant,
    ),
    before: values.before,
    rounds: wholeNumber('--rounds', values.rounds ?? (values.quick ? '1' : '3')),
    quick: values.quick,
    json: values.json,
    write: values.write,
    profile: values.profile,
    count: values.count,
    help: values.help,
  };
}

function chooseVariants(list: string | undefined, more: readonly Variant[]): readonly Variant[] {
  const names = variants.map(({ name }) => name);
  const chosen = choose('--variants', list, names);
  return [...more, ...variants.filter(({ name }) => chosen.includes(name))];
}

function choose<T extends string>(
  option: string,
  list: string | undefined,
  known: readonly T[],
): readonly T[] {
  if (list === undefined) return known;
  const wanted = list.split(',');
  const unknown = wanted.filter((name) => !known.includes(name as T));
  if (unknown.length > 0)
    throw new Error(`${option} must be of ${known.join(',')}, got: ${unknown.join(',')}`);
  return known.filter((name) => wanted.includes(name));
}

function wholeNumber(option: string, text: string): number {
  if (!/^[1-9]\d?$/.test(text)) throw new Error(`${option} must be a whole number of 1–99, got: ${text}`);
  return Number(text);
}

import { readArguments, usage } from './arguments.ts';
import { buildProcesses } from './build.ts';
import { killAllChildren } from './children.ts';
import { keepResults } from './keep-results.ts';
import { describeMachine, readMachine } from './machine.ts';
import { killAllRedis } from './redis.ts';
import { asJson, measureAll } from './results.ts';
import { renderTable } from './table.ts';

/** Longer than the whole bench takes on a slow machine: nothing may hang for ever. */
const longestMs = 30 * 60_000;

async function main(): Promise<void> {
  const args = readArguments(process.argv.slice(2));
  if (args.help) return void process.stdout.write(usage);
  const runsOn = readMachine();
  const machine = describeMachine(runsOn);
  buildProcesses(args.before);
  const observed: string[] = [];
  const results = await measureAll({
    ...args,
    print: (line) => console.error(line),
    printObservation: (lines) => observed.push(...lines),
  });
  process.stdout.write(
    args.json
      ? `${JSON.stringify({ machine, rounds: args.rounds, ...asJson(results) }, undefined, 2)}\n`
      : `${renderTable(results, { machine, ...args })}${observed.map((line) => `${line}\n`).join('')}`,
  );
  if (args.write) keepResults(results, { machine: runsOn, rounds: args.rounds });
}

process.on('exit', () => {
  killAllChildren();
  killAllRedis();
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
setTimeout(() => {
  console.error(`not done after ${longestMs / 60_000} minutes`);
  process.exit(1);
}, longestMs).unref();

main().then(
  () => process.exit(0),
  (error: Error) => {
    console.error(error.message);
    process.exit(1);
  },
);

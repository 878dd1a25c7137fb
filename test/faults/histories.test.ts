import { appendFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { scaled } from '../support/scale.ts';
import { History, type Outcome } from './histories/history.ts';
import { describePlan, type Plan, planOf } from './histories/plan.ts';

/**
 * `HISTORIES=200 npx jest test/faults/histories` runs 200 random histories. `SEED=1` takes the seeds 1–200, `AT_ONCE=12`
 * runs 12 side by side, and `REPORT=file` writes a line of each. Without `HISTORIES` the same few run each time, so that
 * a change is judged by what it does and not by chance.
 */
const isShort = process.env.HISTORIES === undefined;
const count = Number(process.env.HISTORIES ?? scaled(2, 24));
const first = Number(process.env.SEED ?? (isShort ? 1 : Math.floor(Math.random() * 1e9)));
const atOnce = Number(process.env.AT_ONCE ?? 8);
const longestMs = 240_000;

/**
 * Random publishes, joins, leaves and faults of connections, instances and Redis. Whatever happens, `app/client` delivers
 * each message once and in order, or reports a loss in its place. A sender is notified if an acknowledged publish is
 * lost. No refused publish and no id twice is in the log. Nobody is notified of a loss where nothing is lost.
 */
test(
  `${count} random histories from seed ${first} keep the contract`,
  async () => {
    const seeds = Array.from({ length: count }, (_, index) => first + index);
    const faults: string[] = [];
    const work = async () => {
      for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
        const fault = await faultOf(planOf(seed, { withoutProcesses: isShort }));
        if (fault) faults.push(fault);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    if (faults.length > 0) throw new Error(faults.join('\n\n'));
  },
  2 * longestMs + count * 60_000,
);

/** What was broken, the history in which it was, and how to see it again. */
async function faultOf(plan: Plan): Promise<string | undefined> {
  const history = new History(plan);
  const broken = await Promise.race([
    history.run().then(
      (outcome) => {
        report(plan, outcome);
        return breachesOf(outcome, plan);
      },
      (error: Error) => [`at ${history.at}: ${error.stack ?? error.message}`],
    ),
    delay(longestMs, undefined, { ref: false }).then(() => [`stuck at ${history.at}`]),
  ]);
  if (broken.length === 0) return undefined;
  const again = `Again: HISTORIES=1 SEED=${plan.seed} npx jest test/faults/histories`;
  const fault = [...broken, describePlan(plan), again].join('\n');
  if (process.env.REPORT) appendFileSync(process.env.REPORT, `FAULT ${fault}\n`);
  return fault;
}

function report({ seed, steps }: Plan, { acknowledged, client, dropped, refused, uncertain }: Outcome): void {
  if (!process.env.REPORT) return;
  const counted: Record<string, number> = {};
  for (const { step } of steps) counted[step] = (counted[step] ?? 0) + 1;
  const { delivered, notified } = client;
  const line = { seed, acknowledged, delivered, notified, dropped, refused, uncertain, steps: counted };
  appendFileSync(process.env.REPORT, `${JSON.stringify(line)}\n`);
}

function breachesOf({ client, ...outcome }: Outcome, plan: Plan): string[] {
  // Whoever joins from a position that no log had is notified of that, once.
  const unknown = plan.steps.filter((one) => one.step === 'join' && one.from === 'unknown').length;
  const any = Number.POSITIVE_INFINITY;
  const bounds: [string, number, number][] = [
    ['lost unsaid', client.lostUnsaid, 0],
    ['gone unsaid', client.goneUnsaid, 0],
    ['duplicated', client.duplicated, 0],
    ['out of order', client.outOfOrder, 0],
    ['acknowledged, dropped, and the sender not notified', outcome.droppedUnsaid, 0],
    ['ids in the log twice', outcome.appendedTwice, 0],
    ['refused, and written all the same', outcome.refusedAndWritten, 0],
    ['publishes that ended in an error', outcome.refused + outcome.uncertain, plan.mayFail ? any : 0],
    ['dropped where nothing may be', outcome.dropped, plan.drops ? any : 0],
    ['notified where nothing was lost', client.notified, plan.loses ? any : unknown],
  ];
  const breaches = bounds
    .filter(([, found, most]) => found > most)
    .map(([what, found]) => `${what}: ${found}`);
  return breaches.length === 0 ? [] : [...breaches, ...outcome.losses];
}

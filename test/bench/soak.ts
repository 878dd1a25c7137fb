import { parseArgs } from 'node:util';
import { buildProcesses } from './build.ts';
import { Child, killAllChildren } from './children.ts';
import type { Instance } from './instance.ts';
import type { ConnectRequest } from './load/connections.ts';
import { killAllRedis } from './redis.ts';
import type { MemoryUse } from './servers/report.ts';
import { openStage, type Stage } from './stage.ts';
import { variants } from './variants.ts';

/** Connections that come, join, talk and go, over and over: what grows by the minute is never let go of. */

const usage = `npm run soak -- [options]

  --minutes <n>      (default: 60)
  --connections <n>  that come together, stay for some seconds and go again  (default: 500)
`;
const warmUpMinutes = 2;
const talk = { perSecond: 200, forMs: 2_000 };
const membersPerRoom = 10;

interface Minute {
  readonly connections: number;
  readonly heapMb: number;
  readonly rssMb: number;
  readonly redisMb: number;
  readonly redisKeys: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '60' },
      connections: { type: 'string', default: '500' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return void process.stdout.write(usage);
  const [minutes, connections] = [Number(values.minutes), Number(values.connections)];
  if (!(minutes > warmUpMinutes + 1) || !(connections >= membersPerRoom))
    throw new Error(
      `--minutes must be above ${warmUpMinutes + 1} and --connections ${membersPerRoom} or more`,
    );
  buildProcesses();
  const ours = variants.find(({ name }) => name === 'ours') as (typeof variants)[number];
  const stage = await openStage(ours, { instances: 2, nodeOptions: ['--expose-gc'] });
  const loader = new Child('load/connections');
  const rows: Minute[] = [];
  process.stdout.write('| minute | connections so far | heap, MB | RSS, MB | Redis, MB | its keys |\n');
  process.stdout.write('|---|---|---|---|---|---|\n');
  let come = 0;
  for (let minute = 1; minute <= minutes; minute += 1) {
    const until = Date.now() + 60_000;
    while (Date.now() < until) {
      await comeAndGo(stage, loader, connections, come);
      come += connections;
    }
    const row = { connections: come, ...(await useOf(stage)) };
    rows.push(row);
    process.stdout.write(
      `| ${minute} | ${row.connections} | ${row.heapMb.toFixed(1)} | ${row.rssMb.toFixed(0)} | ${row.redisMb.toFixed(1)} | ${row.redisKeys} |\n`,
    );
  }
  process.stdout.write(`\n${growthOf(rows.slice(warmUpMinutes))}\n`);
}

/** Rooms of their own each time: who leaves what behind would keep them. */
async function comeAndGo(stage: Stage, loader: Child, connections: number, come: number): Promise<void> {
  const seats = Array.from({ length: connections }, (_, index) => ({
    room: `soak-${come}-${Math.floor(index / membersPerRoom)}`,
    port: stage.ports[index % stage.ports.length] as number,
  }));
  await loader.ask('connect', { dialect: 'hub', seats } satisfies ConnectRequest);
  await loader.ask('publish', talk);
  await loader.ask('collect');
  await loader.ask('end');
}

async function useOf({ instances, redis }: Stage): Promise<Omit<Minute, 'connections'>> {
  const uses = await Promise.all(instances.map((instance: Instance) => instance.memory()));
  const sum = (of: (use: MemoryUse) => number) => uses.reduce((total, use) => total + of(use), 0) / 1e6;
  const [, bytes] = /^used_memory:(\d+)/m.exec(await redis.client.info('memory')) ?? [];
  return {
    heapMb: sum(({ heap }) => heap),
    rssMb: sum(({ rss }) => rss),
    redisMb: Number(bytes) / 1e6,
    redisKeys: await redis.client.dbsize(),
  };
}

/** By a straight line through all minutes: one alone may end while more waits to be let go of. */
function growthOf(rows: readonly Minute[]): string {
  const middle = (rows.length - 1) / 2;
  const mean = rows.reduce((sum, { heapMb }) => sum + heapMb, 0) / rows.length;
  const covariance = rows.reduce((sum, { heapMb }, minute) => sum + (minute - middle) * (heapMb - mean), 0);
  const variance = rows.reduce((sum, _, minute) => sum + (minute - middle) ** 2, 0);
  const perMinute = covariance / variance;
  const perConnection =
    ((perMinute * (rows.length - 1)) /
      ((rows.at(-1) as Minute).connections - (rows[0] as Minute).connections)) *
    1e6;
  return `From minute ${warmUpMinutes + 1} on the heap changes by ${(perMinute * 1_000).toFixed(0)} KB a minute, ${perConnection.toFixed(0)} bytes for each connection that came and went.`;
}

process.on('exit', () => {
  killAllChildren();
  killAllRedis();
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

main().then(
  () => process.exit(0),
  (error: Error) => {
    console.error(error.message);
    process.exit(1);
  },
);

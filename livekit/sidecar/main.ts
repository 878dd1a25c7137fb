import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { nodeFiles } from '../config/entrypoint.ts';
import { openStandingReader } from './deployment.ts';
import { readSettings, type SidecarSettings } from './environment.ts';
import { Keeper } from './keeper.ts';
import { readLoad } from './load.ts';
import { createLog, type Log } from './log.ts';
import { loadMetric, type SidecarMetric } from './names.ts';
import { type NodeCounter, openNodeCounter } from './nodes.ts';
import { openProtection } from './protection.ts';
import { type AddressSource, checkIp, findPublicAddress, metadataService } from './public-address.ts';

async function main(): Promise<void> {
  const settings = readSettings(process.env);
  const { service, deployment, emfNamespace, folder } = settings;
  const dimensions = { Deployment: deployment, Service: service };
  const log = createLog({ namespace: emfNamespace, dimensions });
  // The container beside it ends first: there is nothing left to keep.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0));
  const standing = openStandingReader(settings.metadataUri);
  const keeper = new Keeper({
    limits: settings,
    protection: openProtection(settings.ecsAgentUri),
    readLoad: () => readLoad(settings.loadUrl),
    readStanding: () => standing.read(),
    drain: () => writeFileSync(join(folder, nodeFiles.drain), ''),
    log,
  });
  const counter = settings.redis && openNodeCounter(settings.redis);
  await Promise.all([
    tellAddress(addressSource(settings), folder, log),
    every(settings.checkMs, () => keeper.look()),
    every(settings.reportMs, () => report(keeper, counter, settings, log)),
  ]);
}

function addressSource({ addressSource: source }: SidecarSettings): AddressSource | undefined {
  if (source === undefined) return undefined;
  return source === 'imds' ? metadataService(process.env) : checkIp();
}

async function tellAddress(source: AddressSource | undefined, folder: string, log: Log): Promise<void> {
  if (!source) return;
  let last = '';
  const address = await findPublicAddress(source, (reason) => {
    if (reason !== last) log.warn(`the node's public address is not known yet: ${reason}`);
    last = reason;
  });
  writeFileSync(join(folder, nodeFiles.ip), address);
  log.info(`the node's public address is ${address}`);
}

async function report(
  keeper: Keeper,
  counter: NodeCounter | undefined,
  { service }: SidecarSettings,
  log: Log,
): Promise<void> {
  const { load, standing, isProtected, isBlocked } = keeper.state;
  const live = await counter?.count().catch((error: Error) => {
    log.warn(`the nodes of ${service} can't be counted in Redis: ${error.message}`);
    return undefined;
  });
  const values: Partial<Record<SidecarMetric, number | undefined>> = {
    LiveNodes: live,
    RunningTasks: standing?.runningTasks,
    [loadMetric[service]]: load,
    Protected: Number(isProtected),
    DeploymentBlocked: Number(isBlocked),
  };
  // What is not known is no zero.
  log.metrics(Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)));
}

async function every(ms: number, work: () => Promise<void>): Promise<never> {
  for (;;) {
    await work();
    await delay(ms);
  }
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});

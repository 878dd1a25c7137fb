import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { sharedFolder } from '../config/container.ts';
import { openDeploymentStatusReader } from './deployment-status.ts';
import { readSettings, type SidecarSettings } from './environment.ts';
import { createLogger, type Logger } from './logger.ts';
import { type SidecarMetric, sidecarMetrics } from './names.ts';
import { openProtection, ProtectionManager } from './protection-manager.ts';
import { type AddressSource, checkIp, findPublicAddress, metadataService } from './public-address.ts';
import { type NodeCounter, openNodeCounter, readLoad } from './readings.ts';

async function main(): Promise<void> {
  const settings = readSettings(process.env);
  const { service, deployment, emfNamespace, folder } = settings;
  const dimensions = { Deployment: deployment, Service: service };
  const logger = createLogger({ namespace: emfNamespace, dimensions });
  // ECS stops the container that is watched first, so there are no calls left to protect.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0));
  const deploymentStatus = openDeploymentStatusReader({
    metadataUri: settings.metadataUri,
    pollMs: settings.statusMs,
    steadyMs: settings.steadyMs,
  });
  const manager = new ProtectionManager({
    limits: settings,
    protection: openProtection(settings.ecsAgentUri),
    readLoad: () => readLoad(settings.loadUrl),
    readDeploymentStatus: (now) => deploymentStatus.read(now),
    drain: () => writeFileSync(join(folder, sharedFolder.drainFile), ''),
    logger,
  });
  const counter = settings.redis && openNodeCounter(settings.redis);
  await Promise.all([
    writeAddress(sourceOf(settings), folder, logger),
    every(settings.checkMs, () => manager.check()),
    every(settings.reportMs, () => report(manager, counter, settings, logger)),
  ]);
}

function sourceOf({ addressSource }: SidecarSettings): AddressSource | undefined {
  if (addressSource === undefined) return undefined;
  return addressSource === 'imds' ? metadataService(process.env) : checkIp();
}

async function writeAddress(
  source: AddressSource | undefined,
  folder: string,
  logger: Logger,
): Promise<void> {
  if (!source) return;
  let last = '';
  const address = await findPublicAddress(source, (reason) => {
    if (reason !== last) logger.warn(`the node's public address is not known yet: ${reason}`);
    last = reason;
  });
  writeFileSync(join(folder, sharedFolder.addressFile), address);
  logger.info(`the node's public address is ${address}`);
}

async function report(
  manager: ProtectionManager,
  counter: NodeCounter | undefined,
  { service }: SidecarSettings,
  logger: Logger,
): Promise<void> {
  const { load, deployment, isProtected, isBlocked } = manager.state;
  const live = await counter?.count().catch((error: Error) => {
    logger.warn(`the nodes of ${service} can't be counted in Redis: ${error.message}`);
    return undefined;
  });
  const values: Record<SidecarMetric, number | undefined> = {
    LiveNodes: live,
    RunningTasks: deployment?.runningTasks,
    Participants: load,
    Jobs: load,
    Protected: Number(isProtected),
    DeploymentBlocked: Number(isBlocked),
  };
  // A value that is not known is left out: it is not zero.
  const known = sidecarMetrics[service].filter((name) => values[name] !== undefined);
  logger.metrics(Object.fromEntries(known.map((name) => [name, values[name]])));
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

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { freePort } from '../../../lib/local/processes/ports.ts';
import { findLiveKit, installLiveKitCommand, packageManager } from '../../../lib/local/programs.mjs';
import { type ApiKey, liveKitEnvironment, secretEnvironment } from '../../../livekit/config/environment.ts';
import { renderLiveKit } from '../../../livekit/config/render.ts';
import type { LiveKitSettings } from '../../../livekit/config/settings.ts';
import { skipSuite } from '../../support/skipping.ts';
import { eventually } from '../../support/wait.ts';

/** The server that this machine has, if it has one: npm and Debian don't. */
export const liveKitBinary = findLiveKit();

export const apiKey: ApiKey = { key: 'test-key', secret: 'a secret of the test, of forty characters' };

/** A suite that needs a real server; without one it is skipped. */
export function describeWithLiveKit(title: string, suite: () => void): void {
  if (liveKitBinary) {
    describe(title, suite);
    return;
  }
  const install = installLiveKitCommand(packageManager(process.env));
  const reason = `no livekit-server. To have it: ${install}, or name one in LIVEKIT_SERVER_BIN`;
  skipSuite(title, reason, suite);
}

export interface TestNode {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  readonly wsUrl: string;
  readonly metricsUrl: string;
  readonly process: ChildProcess;
  output(): string;
  /** The exit code, or the signal that ended it. */
  ended(): Promise<number | NodeJS.Signals>;
  /** SIGKILL. */
  stop(): Promise<void>;
}

/** A node on loopback, with ports of its own. */
export async function startLiveKit(
  settings: Partial<LiveKitSettings> = {},
  environment: NodeJS.ProcessEnv = {},
): Promise<TestNode> {
  const ports = settings.ports ?? (await freePorts());
  const node = spawnLiveKit({ address: { kind: 'loopback' }, ...settings, ports }, environment);
  await eventually(`a LiveKit node at ${node.url}`, async () => {
    if (node.process.exitCode !== null) throw new Error(`livekit-server ended at start:\n${node.output()}`);
    return answers(node.url);
  });
  return node;
}

/** Starts it with what `livekit/config` renders; does not wait. */
export function spawnLiveKit(
  settings: LiveKitSettings & Required<Pick<LiveKitSettings, 'ports'>>,
  environment: NodeJS.ProcessEnv = {},
): TestNode {
  const { ports, redis } = settings;
  const child = spawn(liveKitBinary as string, [], {
    env: {
      [liveKitEnvironment.config]: renderLiveKit(settings),
      ...secretEnvironment([apiKey], redis),
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return nodeOf(child, ports);
}

export function nodeOf(child: ChildProcess, ports: NonNullable<LiveKitSettings['ports']>): TestNode {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (data) => {
      output += data;
    });
  }
  const exited = once(child, 'close');
  return {
    url: `http://127.0.0.1:${ports.signalling}`,
    wsUrl: `ws://127.0.0.1:${ports.signalling}`,
    metricsUrl: `http://127.0.0.1:${ports.prometheus}/metrics`,
    process: child,
    output: () => output,
    ended: async () => {
      const [code, signal] = await exited;
      return code ?? signal;
    },
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await exited;
    },
  };
}

async function freePorts(): Promise<NonNullable<LiveKitSettings['ports']>> {
  const [signalling, mediaTcp, prometheus, udp] = await Promise.all([0, 1, 2, 3].map(() => freePort()));
  const first = Math.min(udp as number, 65_000);
  return {
    signalling: signalling as number,
    mediaTcp: mediaTcp as number,
    prometheus: prometheus as number,
    mediaUdp: [first, first + 1],
  };
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

export { freePorts as freeLiveKitPorts };

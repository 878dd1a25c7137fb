import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callToken } from '../../../app/server/livekit/token.ts';
import { nodeEntrypoint } from '../../../livekit/config/container.ts';
import { liveKitEnvironment, secretEnvironment } from '../../../livekit/config/environment.ts';
import { renderLiveKit } from '../../../livekit/config/render.ts';
import { sidecarEnvironment as names } from '../../../livekit/sidecar/names.ts';
import { eventually } from '../../support/wait.ts';
import { awsEnvironment, type EcsHost, startEcsHost } from '../support/ecs-host.ts';
import { type GuardedRedis, startGuardedRedis } from '../support/guarded-redis.ts';
import {
  apiKey,
  describeWithLiveKit,
  freeLiveKitPorts,
  liveKitBinary,
  nodeOf,
  type TestNode,
} from '../support/livekit-server.ts';
import { endCalls, joinCall } from '../support/participant.ts';

const root = join(import.meta.dirname, '../../..');

interface Sidecar {
  readonly process: ChildProcess;
  output(): string;
  /** The latest line of metrics. */
  metrics(): Record<string, unknown>;
}

/** A sidecar that checks and reports several times a second. */
function startSidecar(host: EcsHost, folder: string, environment: NodeJS.ProcessEnv): Sidecar {
  const child = spawn(process.execPath, ['--import=tsx', 'livekit/sidecar/main.ts'], {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      ...awsEnvironment(host),
      ECS_AGENT_URI: host.agentUri,
      ECS_CONTAINER_METADATA_URI_V4: host.metadataUri,
      [names.folder]: folder,
      [names.emfNamespace]: 'Test',
      [names.checkSeconds]: '0.2',
      [names.statusSeconds]: '0.2',
      [names.steadySeconds]: '1',
      [names.reportSeconds]: '0.2',
      ...environment,
    },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => {
      output += data;
    });
  }
  const metrics = () => {
    const line = output
      .split('\n')
      .filter((each) => each.startsWith('{"_aws"') && each.endsWith('}'))
      .at(-1);
    return line === undefined ? {} : JSON.parse(line);
  };
  return { process: child, output: () => output, metrics };
}

/** A node and its sidecar as in a task: the image's entry point, a folder between the two, ECS around. */
describeWithLiveKit('a real node with its sidecar', () => {
  const folder = mkdtempSync(join(tmpdir(), 'realtime-node-'));
  let redis: GuardedRedis;
  let host: EcsHost;
  let node: TestNode;
  let sidecar: Sidecar;

  beforeAll(async () => {
    [redis, host] = await Promise.all([startGuardedRedis(), startEcsHost()]);
    const ports = await freeLiveKitPorts();
    const config = renderLiveKit({ address: { kind: 'environment' }, ports, redis: redis.facts });
    const environment = { PATH: process.env.PATH, [liveKitEnvironment.config]: config };
    const secrets = secretEnvironment([apiKey], redis.facts);
    node = nodeOf(
      spawn('sh', ['-c', nodeEntrypoint(folder, liveKitBinary)], { env: { ...environment, ...secrets } }),
      ports,
    );
    host.publicAddress = undefined;
    sidecar = startSidecar(host, folder, {
      ...environment,
      [names.redisPassword]: secrets[names.redisPassword],
    });
  });
  afterAll(async () => {
    sidecar.process.kill('SIGKILL');
    // The shell's child would go on.
    node.process.kill('SIGTERM');
    await node.ended();
    await Promise.all([redis.stop(), host.stop()]);
    rmSync(folder, { recursive: true, force: true });
    await endCalls();
  });

  const metric = (name: string, value: number) =>
    eventually(`${name} to be ${value}`, () => sidecar.metrics()[name] === value);
  const join_ = async () => {
    const access = { url: node.wsUrl, apiUrl: node.url, apiKey: apiKey.key, apiSecret: apiKey.secret };
    const { token } = await callToken(access, { room: 'r', identity: { subject: 'ada', guest: false } });
    return joinCall(node.wsUrl, token);
  };
  const isServing = () =>
    fetch(node.url).then(
      ({ ok }) => ok,
      () => false,
    );

  test('the node starts with the address of its host, and is counted in Redis', async () => {
    await eventually('the sidecar to log what it waits for', () =>
      sidecar
        .output()
        .includes('public address is not known yet: /latest/meta-data/public-ipv4 responded with 404'),
    );
    expect(await isServing()).toBe(false);
    host.publicAddress = '127.0.0.1';
    await eventually('the node', isServing);
    await metric('LiveNodes', 1);
    await metric('Participants', 0);
    expect(sidecar.metrics()).toMatchObject({ Service: 'livekit', RunningTasks: 1, Protected: 0 });
    expect(await redis.admin.call('ACL', 'LOG')).toEqual([]);
  });

  test('a call protects the task; superseded it drains, keeps its call, and ends when that has ended', async () => {
    const participant = await join_();
    await participant.speak();
    await metric('Participants', 1);
    await metric('Protected', 1);
    host.primary = { id: 'ecs-svc/2', createdAt: new Date(), desiredCount: 1, runningCount: 1 };
    await eventually('the drain file', () => existsSync(join(folder, 'drain')));
    await eventually('the node to drain', () => node.output().includes('exit requested'));
    // ECS sends another SIGTERM when the protection ends. The node must not receive it.
    node.process.kill('SIGTERM');
    const { room } = participant;
    expect([await isServing(), room.isConnected]).toEqual([true, true]);
    expect(host.asked.at(-1)?.ProtectionEnabled).toBe(true);
    await participant.leave();
    expect(await node.ended()).toBe(0);
    expect(node.output().match(/exit requested/g)?.length).toBe(1);
  });
});

test('for an agent it reports jobs, and no participants', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'realtime-agent-'));
  const host = await startEcsHost();
  const worker = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ active_jobs: 2 }));
  });
  await new Promise<void>((resolve) => worker.listen(0, '127.0.0.1', resolve));
  const { port } = worker.address() as AddressInfo;
  const sidecar = startSidecar(host, folder, { [names.agentWorkerUrl]: `http://127.0.0.1:${port}/worker` });
  try {
    await eventually('its jobs', () => sidecar.metrics().Jobs === 2 && sidecar.metrics().Protected === 1);
    expect(sidecar.metrics()).toMatchObject({ Service: 'agent', RunningTasks: 1 });
    expect(sidecar.metrics()).not.toHaveProperty('Participants');
  } finally {
    sidecar.process.kill('SIGKILL');
    worker.close();
    worker.closeAllConnections();
    await host.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callToken } from '../../../app/server/livekit/token.ts';
import { nodeEntrypoint } from '../../../livekit/config/entrypoint.ts';
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

/** A node and its sidecar as in a task: the image's entry point, a folder between the two, ECS around. */
describeWithLiveKit('a real node with its sidecar', () => {
  const folder = mkdtempSync(join(tmpdir(), 'realtime-node-'));
  let redis: GuardedRedis;
  let host: EcsHost;
  let node: TestNode;
  let sidecar: ChildProcess;
  let output = '';

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
    sidecar = spawn(process.execPath, ['--import=tsx', 'livekit/sidecar/main.ts'], {
      cwd: root,
      env: {
        ...environment,
        ...awsEnvironment(host),
        ECS_AGENT_URI: host.agentUri,
        ECS_CONTAINER_METADATA_URI_V4: host.metadataUri,
        [names.redisPassword]: secrets[names.redisPassword],
        [names.folder]: folder,
        [names.emfNamespace]: 'Test',
        [names.checkSeconds]: '0.2',
        [names.reportSeconds]: '0.2',
      },
    });
    for (const stream of [sidecar.stdout, sidecar.stderr]) {
      stream?.on('data', (data) => {
        output += data;
      });
    }
  });
  afterAll(async () => {
    sidecar.kill('SIGKILL');
    // The shell's child would go on.
    node.process.kill('SIGTERM');
    await node.ended();
    await Promise.all([redis.stop(), host.stop()]);
    rmSync(folder, { recursive: true, force: true });
    await endCalls();
  });

  const lastMetrics = () => {
    const line = output
      .split('\n')
      .filter((each) => each.startsWith('{"_aws"'))
      .at(-1);
    return line === undefined ? {} : JSON.parse(line);
  };
  const metric = (name: string, value: number) =>
    eventually(`${name} to be ${value}`, () => lastMetrics()[name] === value);
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
    await eventually('the sidecar to say what it waits for', () =>
      output.includes('public address is not known yet: /latest/meta-data/public-ipv4 answered 404'),
    );
    expect(await isServing()).toBe(false);
    host.publicAddress = '127.0.0.1';
    await eventually('the node', isServing);
    await metric('LiveNodes', 1);
    await metric('Participants', 0);
    expect(lastMetrics()).toMatchObject({ Service: 'livekit', RunningTasks: 1, Protected: 0 });
    expect(await redis.admin.call('ACL', 'LOG')).toEqual([]);
  });

  test('a call protects the task; superseded it drains, keeps its call, and ends when that has ended', async () => {
    const participant = await join_();
    await participant.speak();
    await metric('Participants', 1);
    await metric('Protected', 1);
    host.primary = { id: 'ecs-svc/2', createdAt: new Date(), desiredCount: 1, runningCount: 1 };
    await eventually('the node to be told', () => existsSync(join(folder, 'drain')));
    await eventually('the node to drain', () => node.output().includes('exit requested'));
    // What ECS sends at the end of the protection is no second one for the node.
    node.process.kill('SIGTERM');
    const { room } = participant;
    expect([await isServing(), room.isConnected]).toEqual([true, true]);
    expect(host.asked.at(-1)?.ProtectionEnabled).toBe(true);
    await participant.leave();
    expect(await node.ended()).toBe(0);
    expect(node.output().match(/exit requested/g)?.length).toBe(1);
  });
});

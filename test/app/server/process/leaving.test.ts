import { HttpTransportType, HubConnectionBuilder, LogLevel } from '@microsoft/signalr';
import { io, type Socket } from 'socket.io-client';
import { longestStopMs } from '../../../../app/server/process/drain.ts';
import {
  readiness,
  startInstance,
  type TestInstance,
  untilLogged,
} from '../../../support/servers/service.ts';
import { eventually } from '../../../support/wait.ts';
import { type EcsServer, startEcs, task } from './ecs-server.ts';

const instances: TestInstance[] = [];
const clients: Socket[] = [];
let ecs: EcsServer | undefined;

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await Promise.all(instances.splice(0).map((instance) => instance.kill('SIGKILL')));
  await ecs?.stop();
  ecs = undefined;
});

async function start(environment: NodeJS.ProcessEnv = {}): Promise<TestInstance> {
  const instance = await startInstance('leaving', {
    LOG_LEVEL: 'info',
    DRAIN_SECONDS: '600',
    ...environment,
  });
  instances.push(instance);
  return instance;
}

async function connect({ url }: TestInstance, count = 1): Promise<Socket[]> {
  const joined = Array.from({ length: count }, () =>
    io(`${url}/chat`, { transports: ['websocket'], forceNew: true, reconnectionDelay: 50 }),
  );
  clients.push(...joined);
  await Promise.all(joined.map((socket) => heard(socket, 'connect')));
  return joined;
}

/** @returns the first thing that it is emitted with */
function heard(emitter: object, name: string): Promise<unknown> {
  return new Promise((resolve) => (emitter as Socket).once(name as never, resolve as never));
}

test('SIGUSR2: not ready, clients are let go, handshakes are refused, and it stays until SIGTERM', async () => {
  const instance = await start();
  const [socket] = (await connect(instance)) as [Socket];
  const gone = heard(socket, 'disconnect');
  const refused = heard(socket.io, 'reconnect_error');
  instance.process.kill('SIGUSR2');
  const reason = await gone;
  expect(reason).toBe('transport close');
  await eventually('it to be draining', async () => (await readiness(instance)).status === 'draining');
  expect((await readiness(instance)).code).toBe(503);
  // It tries again by itself, and is refused here: a load balancer would have sent it elsewhere.
  await refused;
  const polled = await fetch(`${instance.url}/socket.io/?EIO=4&transport=polling`);
  expect([polled.status, polled.headers.get('retry-after')]).toEqual([503, '1']);
  expect(instance.process.exitCode).toBeNull();
  instance.process.kill('SIGTERM');
  expect(await instance.ended()).toBe(0);
});

test('a second signal ends it at once, one that comes with the first does not', async () => {
  const instance = await start();
  // A clients' drain of 50 batches: it can't be over when the second signal comes.
  await connect(instance, 50);
  instance.process.kill('SIGINT');
  instance.process.kill('SIGTERM');
  await eventually('it to be draining', async () => (await readiness(instance)).status === 'draining');
  await new Promise((resolve) => setTimeout(resolve, 700));
  instance.process.kill('SIGTERM');
  expect(await instance.ended()).toBe(1);
  expect(instance.output()).toContain('leaving at once');
});

test('on ECS: it drains once its task is deactivating, and ends at SIGTERM', async () => {
  ecs = await startEcs();
  const instance = await start({
    ECS_CONTAINER_METADATA_URI_V4: `${ecs.url}/v4/abc`,
    AWS_ENDPOINT_URL_ECS: ecs.url,
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'none',
  });
  const [socket] = (await connect(instance)) as [Socket];
  const gone = heard(socket, 'disconnect');
  ecs.answer = task('DEACTIVATING', 'STOPPED');
  expect(await gone).toBe('transport close');
  await untilLogged(instance, 'ECS takes this task out (DEACTIVATING, to be STOPPED): draining');
  expect((await readiness(instance)).status).toBe('draining');
  instance.process.kill('SIGTERM');
  expect(await instance.ended()).toBe(0);
});

test('the longest way out follows the drain', () => {
  expect(longestStopMs(60) - longestStopMs(10)).toBe(50_000);
  expect(longestStopMs(60)).toBeLessThan(120_000);
});

test('a client by long polling that has left leaves no connection behind that holds up the end', async () => {
  const instance = await start({ DRAIN_SECONDS: '0', AUTH: 'none' });
  const connection = new HubConnectionBuilder()
    .withUrl(`${instance.url}/chathub`, HttpTransportType.LongPolling)
    .configureLogging(LogLevel.None)
    .build();
  await connection.start();
  await connection.invoke('Join', 'room');
  await connection.stop();
  instance.process.kill('SIGTERM');
  expect(await instance.ended()).toBe(0);
  expect(instance.output()).toContain('stopped');
});

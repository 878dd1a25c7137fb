import { io } from 'socket.io-client';
import { openHub } from '../../app/client/hub.ts';
import { paths } from '../../app/names.ts';
import { signToken } from '../../app/server/auth/hmac.ts';
import { variants } from '../lib/stack/templates.ts';
import { runVerify, stateFolder } from '../lib/verify/run-verify.ts';
import { Audience } from '../support/clients/audience.ts';
import { nothingLost } from '../support/clients/scene.ts';
import { Traffic } from '../support/clients/traffic.ts';
import { historiesFrom } from '../support/redis/room-history.ts';
import { eventually } from '../support/wait.ts';
import { Deployment } from './deployment.ts';
import { describeWithContainers } from './engine.ts';
import type { RunningTask } from './task.ts';

// An image is built by the first run on a machine, which takes minutes.
jest.setTimeout(1_200_000);

const knobs = variants['own certificate'];

describeWithContainers('the service’s containers, as the template has them', () => {
  let deployment: Deployment;
  const tasks: RunningTask[] = [];
  const clients: { close(): unknown }[] = [];
  const folder = stateFolder();

  beforeAll(async () => {
    deployment = await Deployment.start(knobs, { healthChecks: { path: paths.ready } });
    for (let count = 0; count < 2; count += 1) tasks.push(await startRegistered());
  });
  afterAll(async () => {
    for (const client of clients) client.close();
    folder.remove();
    await deployment?.stop();
  });

  /** A task of the service that the load balancer finds ready. */
  async function startRegistered(): Promise<RunningTask> {
    const task = await deployment.run('app');
    deployment.balancer.register({ id: task.id, host: '127.0.0.1', port: task.portOf(3000) });
    try {
      await eventually(`${task.id} to be ready`, () =>
        deployment.balancer.status().some(({ id, health }) => id === task.id && health === 'healthy'),
      );
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${await task.logs('app')}`);
    }
    return task;
  }

  /** What ECS does to a task that a deployment replaces. */
  async function replace(task: RunningTask): Promise<number | undefined> {
    task.control.lastStatus = 'DEACTIVATING';
    task.control.desiredStatus = 'STOPPED';
    tasks.splice(tasks.indexOf(task), 1);
    await deployment.balancer.deregister(task.id, 40_000);
    const { app } = await task.stop();
    return app;
  }

  const authSecret = () => deployment.secretNamed('ServiceAuthSecret');
  const tokenOf = (sub: string) =>
    signToken({ sub, exp: Math.floor(Date.now() / 1_000) + 3_600 }, authSecret());

  test('nobody is root, nothing can be written, and nothing is missing in the Redis user’s permissions', async () => {
    for (const task of tasks) {
      expect(await task.exitCode('app', ['sh', '-c', 'test "$(id -u)" = 1000'])).toBe(0);
      for (const place of ['/app', '/tmp', '/home/node'])
        expect(await task.exitCode('app', ['sh', '-c', `echo x > ${place}/x`])).not.toBe(0);
    }
    expect(await deployment.cache.admin.call('ACL', 'LOG')).toEqual([]);
  });

  test('verify passes', async () => {
    const secrets = { authSecret: authSecret(), serviceToken: deployment.secretNamed('ServiceServiceToken') };
    const outcome = await runVerify(['--url', deployment.url, '--instances', '2'], {
      stateFolder: folder.path,
      secrets,
    });
    expect({ code: outcome.code, output: outcome.output + outcome.errors }).toMatchObject({
      code: 0,
      output: expect.stringContaining(' 0 failed'),
    });
  });

  describe('under load, nothing is lost', () => {
    let audience: Audience;
    let rounds = 0;
    let traffic: Traffic;

    beforeEach(async () => {
      audience = new Audience();
      rounds += 1;
      for (let number = 0; number < 12; number += 1) {
        const options = {
          auth: { token: tokenOf(`user-${number}`) },
          forceNew: true,
          reconnectionDelay: 50,
          reconnectionDelayMax: 500,
        };
        const hub = openHub<number>(deployment.url, 'chat', options);
        clients.push(hub);
        // Many rooms: each log keeps the last 1,000 messages, and the audit reads all of them.
        await audience.join(hub, `room ${number % 6} of round ${rounds}`);
      }
      traffic = await Traffic.start(audience);
      await traffic.reaches(60);
    });
    afterEach(async () => {
      await traffic.stop();
      for (const client of clients.splice(0)) client.close();
    });

    /** Every message that was acknowledged is in the log, and every client has it once and in order. */
    async function expectNothingLost(): Promise<void> {
      await traffic.end();
      await audience.level();
      const audit = audience.audit(
        await historiesFrom(deployment.cache.admin, audience.rooms, { deployment: 'realtime-dev' }),
      );
      expect(audit).toMatchObject(nothingLost(audit.acknowledged, audit.client.expected, 0));
      expect(await deployment.cache.admin.call('ACL', 'LOG')).toEqual([]);
    }

    async function replaceAll(): Promise<void> {
      const old = [...tasks];
      for (let count = 0; count < 2; count += 1) tasks.push(await startRegistered());
      expect(await Promise.all(old.map(replace))).toEqual([0, 0]);
    }

    test('the password is rotated', async () => {
      await deployment.deploy({ ...knobs, passwordVersion: 2 });
      // The old tasks lose their connections in the midst of the deployment: their password is still one of the two.
      await deployment.cache.disconnect('app');
      await replaceAll();
      await expectNothingLost();
    });

    test('a newer image is rolled out, and the one before again', async () => {
      const imageUri = await deployment.buildNewerImage('app');
      await deployment.deploy({ ...knobs, passwordVersion: 2, imageUri });
      await replaceAll();
      await deployment.deploy({ ...knobs, passwordVersion: 2 });
      await replaceAll();
      await expectNothingLost();
    });

    test('the cache gets a newer engine', async () => {
      console.log(`the cache's engine now: ${await deployment.cache.upgrade()}`);
      await traffic.reaches(200);
      await expectNothingLost();
    });

    test('all tasks are stopped, and started again', async () => {
      await deployment.deploy({ ...knobs, passwordVersion: 2, minTasks: 0 });
      expect(await Promise.all([...tasks].map(replace))).toEqual([0, 0]);
      expect((await fetch(deployment.url + paths.ready)).status).toBe(503);
      await deployment.deploy({ ...knobs, passwordVersion: 2 });
      for (let count = 0; count < 2; count += 1) tasks.push(await startRegistered());
      await expectNothingLost();
    });
  });

  test('a task that ECS deactivates sends its clients away before it is stopped, and takes no new ones', async () => {
    const [leaving] = tasks as [RunningTask];
    const url = `http://127.0.0.1:${leaving.portOf(3000)}`;
    const socket = io(`${url}/chat`, {
      auth: { token: tokenOf('ada') },
      transports: ['websocket'],
      reconnection: false,
    });
    clients.push(socket);
    await eventually('a client to be there', () => socket.connected);
    leaving.control.lastStatus = 'DEACTIVATING';
    leaving.control.desiredStatus = 'STOPPED';
    await eventually('it to drain', async () => (await fetch(url + paths.ready)).status === 503);
    await eventually('its client to be sent away', () => !socket.connected);
    expect(await leaving.logs('app')).toContain('ECS takes this task out');
    expect(await replace(leaving)).toBe(0);
  });
});

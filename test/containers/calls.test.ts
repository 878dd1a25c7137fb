import { openHub } from '../../app/client/hub.ts';
import { paths } from '../../app/names.ts';
import type { Message } from '../../app/protocol/hub.ts';
import { signToken } from '../../app/server/auth/hmac.ts';
import { liveKitRule } from '../../lib/local/livekit/nodes.ts';
import { variants } from '../lib/stack/templates.ts';
import { endCalls, joinCall, type Participant } from '../livekit/support/participant.ts';
import { eventually } from '../support/wait.ts';
import { Deployment } from './deployment.ts';
import { describeWithContainers } from './engine.ts';
import type { RunningTask } from './task.ts';

// An image is built by the first run on a machine, which takes minutes.
jest.setTimeout(1_200_000);

const knobs = {
  ...variants['own domain'],
  // A worker takes no call where the processor is busy, and this machine's may be busy with other things.
  agentEnvironment: { LOAD_THRESHOLD: '100' },
  // Its processor is this machine's.
  liveKitInstanceType: process.arch === 'arm64' ? 'c7g.xlarge' : 'c7i.xlarge',
};

describeWithContainers(
  'LiveKit’s, the sidecar’s and the agent’s containers, as the template has them',
  () => {
    let deployment: Deployment;
    let service: RunningTask;
    let node: RunningTask;
    let agent: RunningTask;
    const told: Message[] = [];
    const clients: { close(): unknown }[] = [];

    beforeAll(async () => {
      deployment = await Deployment.start(knobs, {
        healthChecks: { path: paths.ready },
        rules: [liveKitRule],
      });
      // In the order of a deployment.
      service = await startService();
      node = await deployment.run('livekit');
      await node.healthy('livekit');
      const group = liveKitRule.group;
      deployment.balancer.register({ id: node.id, host: '127.0.0.1', port: node.portOf(7880) }, group);
      await untilInService(node, 'livekit');
      agent = await deployment.run('agent');
      const hub = openHub(deployment.url, 'chat', { auth: { token: userToken() }, forceNew: true });
      clients.push(hub);
      await hub.join('lobby', { onMessage: (message) => told.push(message) }).joined;
    });
    afterAll(async () => {
      for (const client of clients) client.close();
      await endCalls();
      await deployment?.stop();
    });

    async function startService(): Promise<RunningTask> {
      const task = await deployment.run('app');
      deployment.balancer.register({ id: task.id, host: '127.0.0.1', port: task.portOf(3000) });
      await untilInService(task, 'app');
      return task;
    }

    async function untilInService(task: RunningTask, container: string): Promise<void> {
      try {
        await eventually(`${task.id} to be in service`, () =>
          deployment.balancer.status().some(({ id, health }) => id === task.id && health === 'healthy'),
        );
      } catch (error) {
        throw new Error(`${(error as Error).message}\n${await task.logs(container)}`);
      }
    }

    function userToken(): string {
      const claims = { sub: 'ada', exp: Math.floor(Date.now() / 1_000) + 3_600 };
      return signToken(claims, deployment.secretNamed('ServiceAuthSecret'));
    }

    /** Joins the call of a room with a token of the service. */
    async function call(withAgent: boolean): Promise<Participant> {
      const response = await fetch(deployment.url + paths.livekitToken, {
        method: 'POST',
        headers: { authorization: `Bearer ${userToken()}`, 'content-type': 'application/json' },
        body: JSON.stringify({ room: 'lobby', agent: withAgent }),
      });
      expect(response.status).toBe(200);
      const { token } = (await response.json()) as { token: string };
      return joinCall(deployment.url.replace('http', 'ws'), token);
    }

    const countOf = (event: string) =>
      told.filter(({ body }) => (body as { call?: string }).call === event).length;

    test('nobody is root, nothing but the shared folder can be written, by the sidecar alone', async () => {
      const containers = [
        [node, 'livekit'],
        [node, 'sidecar'],
        [agent, 'agent'],
        [agent, 'sidecar'],
      ] as const;
      for (const [task, container] of containers) {
        expect(await task.exitCode(container, ['sh', '-c', 'test "$(id -u)" = 1000'])).toBe(0);
        for (const place of ['/', '/tmp', '/var/tmp'])
          expect(await task.exitCode(container, ['sh', '-c', `echo x > ${place}/x`])).not.toBe(0);
        const written = await task.exitCode(container, ['sh', '-c', 'echo x > /node/test']);
        expect(written === 0).toBe(container === 'sidecar');
      }
    });

    test('the node finds its Redis and its address, and its sidecar counts it', async () => {
      const log = await node.logs('livekit');
      expect(log).not.toContain('single-node');
      expect(await deployment.cache.admin.hlen('nodes')).toBe(1);
      await eventually('the sidecar to report', async () =>
        (await node.logs('sidecar')).includes('"LiveNodes":1'),
      );
      expect(await node.logs('sidecar')).toContain('public address is');
    });

    test('the agent registers inside the VPC, without a DNS record, and is healthy', async () => {
      await agent.healthy('agent');
    });

    test('a call: the agent says what it hears, the room is told, and ECS protects both tasks', async () => {
      const caller = await call(true);
      await caller.speak();
      await eventually('half a second of echo', () => caller.audio.audible >= 50).catch(async (error) => {
        throw new Error(`${error.message}
${await agent.logs('agent')}`);
      });
      await eventually('the room to be told', () => countOf('joined') >= 2);
      await eventually('both tasks to be protected', () =>
        [node, agent].every(({ control }) => control.protection.at(-1) === true),
      );
      await caller.leave();
      await eventually('the room to be told of the end', () => countOf('left') >= 1);
      await eventually('both tasks to be released', () =>
        [node, agent].every(({ control }) => control.protection.at(-1) === false),
      );
    });

    test('LiveKit’s key is rotated: the service that was replaced calls by nodes that were not', async () => {
      await deployment.deploy({ ...knobs, liveKitKeyVersion: 2 });
      const old = service;
      service = await startService();
      old.control.lastStatus = 'DEACTIVATING';
      await deployment.balancer.deregister(old.id, 80_000);
      expect(await old.stop()).toEqual({ app: 0 });
      const before = countOf('joined');
      const caller = await call(false);
      await eventually(
        'the room to be told, signed with the version before',
        () => countOf('joined') > before,
      );
      await caller.leave();
    });

    test('nothing is missing in the permissions of a Redis user', async () => {
      expect(await deployment.cache.admin.call('ACL', 'LOG')).toEqual([]);
    });

    test('they end by themselves when ECS stops them', async () => {
      expect(await agent.stop()).toEqual({ agent: 0, sidecar: 0 });
      await eventually('the call to be empty', () =>
        node.logs('sidecar').then(() => node.control.protection.at(-1) === false),
      );
      expect(await node.stop()).toEqual({ livekit: 0, sidecar: 0 });
    });
  },
);

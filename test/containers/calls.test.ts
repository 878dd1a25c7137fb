import { openHub } from '../../app/client/hub.ts';
import type { Message } from '../../app/protocol/hub.ts';
import { endCalls } from '../livekit/support/participant.ts';
import { eventually } from '../support/wait.ts';
import { CallDeployment, callKnobs } from './call-deployment.ts';
import { describeWithContainers } from './engine.ts';

// An image is built by the first run on a machine, which takes minutes.
jest.setTimeout(1_200_000);

const knobs = {
  ...callKnobs,
  // A worker takes no call where the processor is busy, and this machine's may be busy with other things.
  agentEnvironment: { LOAD_THRESHOLD: '100' },
};

describeWithContainers(
  'LiveKit’s, the sidecar’s and the agent’s containers, as the template has them',
  () => {
    let calls: CallDeployment;
    const told: Message[] = [];
    const clients: { close(): unknown }[] = [];

    beforeAll(async () => {
      calls = await CallDeployment.start(knobs);
      const hub = openHub(calls.deployment.url, 'chat', {
        auth: { token: calls.userToken() },
        forceNew: true,
      });
      clients.push(hub);
      await hub.join('lobby', { onMessage: (message) => told.push(message) }).joined;
    });
    afterAll(async () => {
      for (const client of clients) client.close();
      await endCalls();
      await calls?.deployment.stop();
    });

    const countOf = (event: string) =>
      told.filter(({ body }) => (body as { call?: string }).call === event).length;

    test('nobody is root, nothing but the shared folder can be written, by the sidecar alone', async () => {
      const { node, agent } = calls;
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
      const { deployment, node } = calls;
      const log = await node.logs('livekit');
      expect(log).not.toContain('single-node');
      expect(await deployment.cache.admin.hlen('nodes')).toBe(1);
      await eventually('the sidecar to report', async () =>
        (await node.logs('sidecar')).includes('"LiveNodes":1'),
      );
      expect(await node.logs('sidecar')).toContain('public address is');
    });

    test('the agent registers inside the VPC, without a DNS record, and is healthy', async () => {
      const { agent } = calls;
      await agent.healthy('agent');
    });

    test('a call: the agent says what it hears, the room is told, and ECS protects both tasks', async () => {
      const { node, agent } = calls;
      const caller = await calls.join(true);
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
      const { deployment, service: old } = calls;
      await deployment.deploy({ ...knobs, liveKitKeyVersion: 2 });
      calls.service = await calls.startService();
      old.control.lastStatus = 'DEACTIVATING';
      await deployment.balancer.deregister(old.id, 80_000);
      expect(await old.stop()).toEqual({ app: 0 });
      const before = countOf('joined');
      const caller = await calls.join(false);
      await eventually(
        'the room to be told, signed with the version before',
        () => countOf('joined') > before,
      );
      await caller.leave();
    });

    test('a newer image of LiveKit is rolled out: a call stays on its node until it is over', async () => {
      const { deployment, node: old } = calls;
      const liveKitImageUri = await deployment.buildNewerImage('livekit');
      const caller = await calls.join(false);
      await caller.speak();
      await eventually('the old node to be protected', () => old.control.protection.at(-1) === true);
      await deployment.deploy({ ...knobs, liveKitKeyVersion: 2, liveKitImageUri });
      await calls.replaceNode();
      // ECS stops a task that was protected only when its calls are over.
      const listener = await calls.join(false);
      await eventually('the call to go on', () => listener.audio.audible >= 50);
      await Promise.all([caller.leave(), listener.leave()]);
      await eventually('the old node to be released', () => old.control.protection.at(-1) === false);
      expect(await old.stop()).toEqual({ livekit: 0, sidecar: 0 });
    });

    test('nothing is missing in the permissions of a Redis user', async () => {
      expect(await calls.deployment.cache.admin.call('ACL', 'LOG')).toEqual([]);
    });

    test('they end by themselves when ECS stops them', async () => {
      const { node, agent } = calls;
      expect(await agent.stop()).toEqual({ agent: 0, sidecar: 0 });
      // A new node that had no call was never protected.
      await eventually('the call to be empty', () => node.control.protection.at(-1) !== true);
      expect(await node.stop()).toEqual({ livekit: 0, sidecar: 0 });
    });
  },
);

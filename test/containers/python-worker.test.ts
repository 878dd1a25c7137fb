import { join } from 'node:path';
import { endCalls } from '../livekit/support/participant.ts';
import { eventually } from '../support/wait.ts';
import { CallDeployment, callKnobs } from './call-deployment.ts';
import { buildImage, describeWithContainers } from './engine.ts';

// The image has an operating system's Python and the framework, which takes minutes to bring.
jest.setTimeout(1_800_000);

const image = 'localhost/realtime-test-python-worker';

describeWithContainers('a Python worker of LiveKit Agents in the place of the agent', () => {
  let calls: CallDeployment;
  beforeAll(async () => {
    await buildImage(image, join(import.meta.dirname, 'python-worker'));
    calls = await CallDeployment.start({
      ...callKnobs,
      agentImageUri: image,
      // As the agent's README advises for one in Python.
      agentReadOnlyRoot: false,
      agentHealthCommand: `python3 -c "import urllib.request as r; r.urlopen('http://127.0.0.1:8081/')"`,
    });
  });
  afterAll(async () => {
    await endCalls();
    await calls?.deployment.stop();
  });

  test('it comes when it is called, and ECS protects its task until the call is over', async () => {
    const { agent } = calls;
    await agent.healthy('agent');
    // The framework answers the health check before LiveKit knows the worker.
    await eventually('it to be registered', async () =>
      (await agent.logs('agent')).includes('registered worker'),
    );
    const caller = await calls.join(true);
    await eventually('it to answer', async () => {
      await caller.say('hello');
      return caller.data.includes('Python heard hello');
    }).catch(async (error: Error) => {
      throw new Error(`${error.message}\n${await agent.logs('agent')}`);
    });
    await eventually('its task to be protected', () => agent.control.protection.at(-1) === true);
    await caller.leave();
    await eventually('its task to be released', () => agent.control.protection.at(-1) === false);
  });

  test('it runs as no root, and ends by itself when ECS stops it', async () => {
    expect(await calls.agent.exitCode('agent', ['sh', '-c', 'test "$(id -u)" = 1000'])).toBe(0);
    expect(await calls.agent.stop()).toEqual({ agent: 0, sidecar: 0 });
  });
});

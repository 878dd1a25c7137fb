import { agentName } from '../../../app/names.ts';
import { openLiveKitApi } from '../../../app/server/livekit/api.ts';
import { callToken } from '../../../app/server/livekit/token.ts';
import { eventually } from '../../support/wait.ts';
import { describeWithAgent, longestWaitMs, startAgent, type TestAgent } from '../support/agent.ts';
import { apiKey, startLiveKit, type TestNode } from '../support/livekit-server.ts';
import { endCalls, joinCall } from '../support/participant.ts';

jest.setTimeout(3 * longestWaitMs);

describeWithAgent('the voice agent', () => {
  let node: TestNode;
  let agent: TestAgent;
  beforeAll(async () => {
    node = await startLiveKit({ room: { departureTimeoutSeconds: 1 } });
    await openLiveKitApi(access()).callAgent('early', agentName);
    agent = await startAgent(node.url);
  });
  afterAll(async () => {
    await agent.stop();
    await node.stop();
    await endCalls();
  });

  const access = () => ({ url: node.wsUrl, apiUrl: node.url, apiKey: apiKey.key, apiSecret: apiKey.secret });
  const call = async (room: string, withAgent: boolean) => {
    const request = {
      room,
      identity: { subject: 'ada', guest: false },
      ...(withAgent ? { agent: agentName } : {}),
    };
    const { token } = await callToken(access(), request);
    return joinCall(node.wsUrl, token);
  };

  test('comes where the token asks for it, and says what it hears; nowhere else', async () => {
    const [alone, caller] = await Promise.all([call('alone', false), call('echo', true)]);
    await caller.speak();
    await eventually('half a second of echo', () => caller.audio.audible >= 50, longestWaitMs);
    expect(alone.room.remoteParticipants.size).toBe(0);
    await Promise.all([alone.leave(), caller.leave()]);
  });

  test('is called again into a call that nobody could take, and comes once however often', async () => {
    const caller = await call('early', false);
    await openLiveKitApi(access(), 0).callAgent('early', agentName);
    const api = openLiveKitApi(access());
    await api.callAgent('early', agentName);
    await caller.speak();
    await eventually('an echo', () => caller.audio.audible >= 20, longestWaitMs);
    const agents = (await api.participants('early')).filter((participant) => participant.agent);
    expect([agents.length, caller.room.remoteParticipants.size]).toEqual([1, 1]);
    await caller.leave();
  });

  test('called by many at the same time comes once', async () => {
    const caller = await call('together', false);
    await caller.speak();
    // Each as on an instance of its own.
    const apis = Array.from({ length: 4 }, () => openLiveKitApi(access()));
    await Promise.all(apis.map((api) => api.callAgent('together', agentName)));
    await eventually('an echo', () => caller.audio.audible >= 20, longestWaitMs);
    const agents = async () =>
      (await apis[0]?.participants('together'))?.filter((participant) => participant.agent);
    await eventually('one to be there', async () => (await agents())?.length === 1);
    // Those of the calls that were taken back would have come by now, and are gone.
    const before = caller.audio.audible;
    await eventually('more of the echo', () => caller.audio.audible >= before + 200, longestWaitMs);
    expect([(await agents())?.length, caller.room.remoteParticipants.size]).toEqual([1, 1]);
    await caller.leave();
  });

  test('whose process was killed is no reason not to call another one', async () => {
    const caller = await call('killed', true);
    await caller.speak();
    await eventually('an echo', () => caller.audio.audible >= 20, longestWaitMs);
    await agent.stop();
    agent = await startAgent(node.url);
    const heard = caller.audio.audible;
    const api = openLiveKitApi(access());
    await api.callAgent('killed', agentName);
    await eventually('an echo of another one', () => caller.audio.audible >= heard + 20, longestWaitMs);
    // One that answers is not called twice.
    await api.callAgent('killed', agentName);
    const agents = (await api.participants('killed')).filter((participant) => participant.agent);
    expect([agents.length, caller.room.remoteParticipants.size]).toEqual([1, 1]);
    await caller.leave();
  });

  test('at SIGTERM it goes on with its call, and ends when that has ended', async () => {
    const caller = await call('drain', true);
    await caller.speak();
    await eventually('an echo', () => caller.audio.audible >= 20, longestWaitMs);
    await agent.kill('SIGTERM');
    const before = caller.audio.audible;
    await eventually('more of the echo', () => caller.audio.audible >= before + 50, longestWaitMs);
    await caller.leave();
    expect(await agent.ended()).toBe(0);
  });
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { agentName } from '../../../app/names.ts';
import { callToken } from '../../../app/server/livekit/token.ts';
import { agentEnvironment as names } from '../../../livekit/agent/names.ts';
import { eventually } from '../../support/wait.ts';
import { describeWithAgent, startAgent, type TestAgent } from '../support/agent.ts';
import { apiKey, startLiveKit, type TestNode } from '../support/livekit-server.ts';
import { endCalls, joinCall } from '../support/participant.ts';
import { startVoiceApi, type VoiceApi } from '../support/voice-api.ts';

describeWithAgent('the voice agent with models', () => {
  let node: TestNode;
  let api: VoiceApi;
  let agent: TestAgent;
  const folder = mkdtempSync(join(tmpdir(), 'realtime-agent-'));
  const drainFile = join(folder, 'drain');
  beforeAll(async () => {
    [node, api] = await Promise.all([
      startLiveKit({ room: { departureTimeoutSeconds: 1 } }),
      startVoiceApi('Hello, how can I help you?'),
    ]);
    agent = await startAgent(node.url, {
      [names.mode]: 'voice',
      [names.voiceApiKey]: 'the-key-of-the-models',
      [names.voiceApiUrl]: api.url,
      [names.languageModel]: 'a-model',
      [names.instructions]: 'Speak of tea.',
      [names.drainFile]: drainFile,
    });
  });
  afterAll(async () => {
    await agent.stop();
    await Promise.all([node.stop(), api.stop()]);
    rmSync(folder, { recursive: true, force: true });
    await endCalls();
  });

  test('greets by model and voice, so that the caller hears it; told to drain, it ends after the call', async () => {
    const access = { url: node.wsUrl, apiUrl: node.url, apiKey: apiKey.key, apiSecret: apiKey.secret };
    const identity = { subject: 'ada', guest: false };
    const { token } = await callToken(access, { room: 'tea', identity, agent: agentName });
    const caller = await joinCall(node.wsUrl, token);
    await eventually('half a second of speech', () => caller.audio.audible >= 50);
    const asked = (path: string) => api.asked.find((each) => each.path === path);
    const question = asked('/v1/chat/completions');
    expect(question?.authorization).toBe('Bearer the-key-of-the-models');
    expect(JSON.parse(question?.body ?? '')).toMatchObject({ model: 'a-model', stream: true });
    expect(question?.body).toContain('Speak of tea.');
    expect(asked('/v1/audio/speech')?.body).toContain('Hello, how can I help you?');
    expect(agent.output()).not.toContain('the-key-of-the-models');
    writeFileSync(drainFile, '');
    await eventually('the drain', () => agent.output().includes('takes no new calls'));
    expect(caller.room.remoteParticipants.size).toBe(1);
    await caller.leave();
    expect(await agent.ended()).toBe(0);
  });
});

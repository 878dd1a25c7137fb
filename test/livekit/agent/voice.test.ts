import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { agentName } from '../../../app/names.ts';
import { openLiveKitApi } from '../../../app/server/livekit/api.ts';
import { agentEnvironment as names } from '../../../livekit/agent/names.ts';
import { eventually } from '../../support/wait.ts';
import { describeWithAgent, longestWaitMs, startAgent, type TestAgent } from '../support/agent.ts';
import { startLiveKit, type TestNode } from '../support/livekit-server.ts';
import { endCalls } from '../support/participant.ts';
import { likeness, question, readWav } from '../support/recording.ts';
import { type Asked, startVoiceApi, type VoiceApi, voicePaths } from '../support/voice-api.ts';
import { accessOf, callVoiceAgent, joinVoiceCall, type VoiceCall } from '../support/voice-call.ts';

const key = 'the-key-of-the-models';

jest.setTimeout(3 * longestWaitMs);

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
      [names.voiceApiKey]: key,
      [names.voiceApiUrl]: api.url,
      [names.speechToTextModel]: 'an-ear',
      [names.languageModel]: 'a-model',
      [names.instructions]: 'Speak of tea.',
      [names.drainFile]: drainFile,
    });
  });
  beforeEach(() => {
    api.asked.length = 0;
    api.heard = 'When does the tea room open tomorrow?';
    api.toneSeconds = 1;
  });
  let call: VoiceCall;
  afterEach(() => call.leave());
  afterAll(async () => {
    await agent.stop();
    await Promise.all([node.stop(), api.stop()]);
    rmSync(folder, { recursive: true, force: true });
    await endCalls();
  });

  const last = (path: string): Asked | undefined => api.asked.filter((each) => each.path === path).at(-1);
  const recordingIn = async (asked: Asked | undefined) => {
    const file = asked?.form?.get('file') as File;
    expect(file.type).toBe('audio/wav');
    return Buffer.from(await file.arrayBuffer());
  };
  const jobs = async () => {
    const response = await fetch(new URL('worker', agent.url));
    return ((await response.json()) as { active_jobs: number }).active_jobs;
  };

  test('greets, hears the caller, has it transcribed, thinks with the words and is heard', async () => {
    call = await callVoiceAgent(node, 'tea');
    const greeting = last(voicePaths.completion);
    expect(greeting?.authorization).toBe(`Bearer ${key}`);
    expect(JSON.parse(greeting?.body ?? '')).toMatchObject({ model: 'a-model', stream: true });
    expect(greeting?.body).toContain('Speak of tea.');
    expect(last(voicePaths.speech)?.body).toContain('Hello, how can I help you?');
    // A machine that is too busy tears a sentence; then it is said again.
    await eventually(
      'the sentence',
      async () => {
        await Promise.all([call.ask(), call.hearsAgent()]);
        // Another sentence, or this at another speed, makes 0.5 at most; half of it makes 0.7.
        return likeness(readWav(await recordingIn(last(voicePaths.transcription))), question) > 0.65;
      },
      longestWaitMs,
    );
    const words = last(voicePaths.transcription);
    expect(words?.authorization).toBe(`Bearer ${key}`);
    expect(words?.form?.get('model')).toBe('an-ear');
    const { messages } = JSON.parse(last(voicePaths.completion)?.body ?? '');
    expect(messages.at(-1)).toEqual({ role: 'user', content: expect.stringContaining(api.heard) });
    for (const secret of [key, api.heard, 'how can I help']) expect(agent.output()).not.toContain(secret);
  });

  test('falls silent when the caller speaks, and answers what was said instead', async () => {
    call = await callVoiceAgent(node, 'interrupted');
    api.toneSeconds = 120;
    await Promise.all([
      call.ask(),
      // From its first word on the framework lets nobody interrupt for three seconds.
      eventually('four seconds of the answer', () => call.audio.audible >= 500, longestWaitMs),
    ]);
    api.heard = 'Never mind.';
    api.toneSeconds = 1;
    await Promise.all([call.ask(), call.hearsAgent()]);
    await eventually(
      'its answer to that',
      () => last(voicePaths.completion)?.body.includes('Never mind.') ?? false,
      longestWaitMs,
    );
    await call.hearsAgent();
  });

  test('a caller without a microphone is greeted, and can type', async () => {
    call = await callVoiceAgent(node, 'typed', false);
    await call.room.localParticipant?.sendText('Is there cake?', { topic: 'lk.chat' });
    await call.hearsAgent();
    const { messages } = JSON.parse(last(voicePaths.completion)?.body ?? '');
    expect(messages.at(-1)).toEqual({ role: 'user', content: 'Is there cake?' });
  });

  test('a caller who says nothing costs no transcription, however long, and the job ends with the call', async () => {
    call = await callVoiceAgent(node, 'silent');
    // Silence as a microphone sends it has gone through the detector by then.
    await delay(3_000);
    expect(last(voicePaths.transcription)).toBeUndefined();
    expect(call.agent()).toBeDefined();
    await call.leave();
    await eventually('the job to end', async () => (await jobs()) === 0, longestWaitMs);
  });

  test('leaves with its caller, for it hears nobody else; who stays can call it again', async () => {
    call = await callVoiceAgent(node, 'shared');
    const other = await joinVoiceCall(node, 'shared', true);
    await call.leave();
    await eventually('the agent to leave', () => other.agent() === undefined, longestWaitMs);
    await openLiveKitApi(accessOf(node), 0).callAgent('shared', agentName);
    await other.hearsAgent();
    await other.leave();
  });

  test('asked to drain, it goes on with its call and ends after it', async () => {
    call = await callVoiceAgent(node, 'drain');
    writeFileSync(drainFile, '');
    await eventually('the drain', () => agent.output().includes('takes no new calls'));
    await Promise.all([call.ask(), call.hearsAgent()]);
    await call.leave();
    expect(await agent.ended()).toBe(0);
  });
});

import { agentEnvironment as names } from '../../../livekit/agent/names.ts';
import { eventually } from '../../support/wait.ts';
import { describeWithAgent, longestWaitMs, startAgent, type TestAgent } from '../support/agent.ts';
import { startLiveKit, type TestNode } from '../support/livekit-server.ts';
import { endCalls } from '../support/participant.ts';
import {
  startVoiceApi,
  type VoiceApi,
  type VoiceFault,
  type VoicePath,
  voicePaths,
} from '../support/voice-api.ts';
import { callVoiceAgent, type VoiceCall } from '../support/voice-call.ts';

const key = 'the-key-of-the-models';
const sentence = 'Something is wrong here.';

jest.setTimeout(3 * longestWaitMs);

describeWithAgent('the voice agent whose models fail', () => {
  let node: TestNode;
  let api: VoiceApi;
  let agent: TestAgent;
  beforeAll(async () => {
    [node, api] = await Promise.all([
      startLiveKit({ room: { departureTimeoutSeconds: 1 } }),
      startVoiceApi('Hello, how can I help you?'),
    ]);
    api.heard = 'When does the tea room open tomorrow?';
    agent = await startAgent(node.url, {
      [names.mode]: 'voice',
      [names.voiceApiKey]: key,
      [names.voiceApiUrl]: api.url,
      [names.voiceApiTimeoutSeconds]: '4',
      [names.failureNotice]: sentence,
    });
  });
  let call: VoiceCall;
  afterEach(async () => {
    await call.leave();
    api.faults = {};
  });
  afterAll(async () => {
    await agent.stop();
    await Promise.all([node.stop(), api.stop()]);
    await endCalls();
  });

  const { transcription, completion, speech } = voicePaths;

  test.each<[failed: string, path: VoicePath, fault: VoiceFault, why: string]>([
    ['speech-to-text', transcription, 401, 'give VOICE_API_KEY a key that may use this model'],
    ['language model', completion, 'hangs', 'no answer in 4 s'],
    ['text-to-speech', speech, 500, 'it answered 500 (The server had an error.)'],
  ])('%s: %s, %s', async (failed, path, fault, why) => {
    call = await callVoiceAgent(node, `${path} ${fault}`);
    api.faults[path] = fault;
    const spokenBefore = spoken();
    await Promise.all([call.ask(), call.hearsAgent()]);
    await eventually('the failure to be shown', () => call.failedModel() === failed, longestWaitMs);
    expect(logged(failed)).toContain(why);
    if (path !== speech) expect(spoken()).toBeGreaterThan(spokenBefore);
    delete api.faults[path];
    await Promise.all([call.ask(), call.hearsAgent()]);
    await eventually('the failure to be over', () => call.failedModel() === '', longestWaitMs);
    expect(agent.output()).not.toContain(key);
  });

  const logged = (failed: string) => {
    const lines = agent.output().split('\n');
    return lines.findLast((line) => line.includes(`"msg":"${failed} failed: `));
  };
  /** How often the notice was put into sound. */
  const spoken = () =>
    api.asked.filter((each) => each.path === speech && each.body.includes(sentence)).length;

  test('without any API the caller hears tones, and the call lives on', async () => {
    call = await callVoiceAgent(node, 'unreachable');
    await api.stop();
    await Promise.all([call.ask(), call.hearsAgent()]);
    await Promise.all([call.ask(), call.hearsAgent()]);
    expect(logged('speech-to-text')).toContain("can't be reached (ECONNREFUSED)");
    expect(logged('text-to-speech')).toContain("can't be reached (ECONNREFUSED)");
    await eventually('it to be shown', () => call.failedModel() === 'text-to-speech', longestWaitMs);
  });
});

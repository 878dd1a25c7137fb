import { readSettings } from '../../../livekit/agent/environment.ts';

const livekit = { LIVEKIT_URL: 'ws://127.0.0.1:7880', LIVEKIT_API_KEY: 'k', LIVEKIT_API_SECRET: 'hunter2' };

test('without more it echoes, under the name that the service asks for', () => {
  expect(readSettings(livekit)).toMatchObject({ agentName: 'voice', port: 8081, voice: undefined });
});

test('a voice has a key, and models of its own', () => {
  const voice = {
    AGENT_MODE: 'voice',
    VOICE_API_KEY: 'key',
    VOICE_API_URL: 'http://models/v1',
    LANGUAGE_MODEL: 'm',
  };
  expect(readSettings({ ...livekit, ...voice }).voice).toMatchObject({
    apiKey: 'key',
    baseURL: 'http://models/v1',
    models: { 'language model': 'm' },
  });
});

test('all faults at once, and no value among them', () => {
  const read = () =>
    readSettings({ ...livekit, LIVEKIT_URL: 'cache:7880', AGENT_MODE: 'voice', DRAIN_SECONDS: '0' });
  expect(read).toThrow('LIVEKIT_URL: must be a ws(s) URL');
  expect(read).toThrow('AGENT_MODE=voice needs VOICE_API_KEY; echo needs no key');
  expect(read).toThrow('DRAIN_SECONDS');
  expect(read).not.toThrow('hunter2');
});

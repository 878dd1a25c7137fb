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

test('all faults at once, and no secret among them', () => {
  const read = () =>
    readSettings({ ...livekit, LIVEKIT_URL: 'cache:7880', AGENT_MODE: 'voice', DRAIN_SECONDS: '0' });
  expect(read).toThrow(
    'LIVEKIT_URL must be a URL of ws:// or wss:// or http:// or https://, got: cache:7880',
  );
  expect(read).toThrow('AGENT_MODE=voice needs VOICE_API_KEY; echo needs no key');
  expect(read).toThrow('DRAIN_SECONDS must be a whole number of 1–3600, got: 0');
  expect(read).not.toThrow('hunter2');
});

test('what has no default must be set, and a slip is pointed at', () => {
  const read = () => readSettings({ LIVEKIT_URL: 'ws://livekit', LIVEKIT_API_KEYS: 'k' });
  expect(read).toThrow('LIVEKIT_API_KEY must be set: the agent is a worker of LiveKit');
  expect(read).toThrow('LIVEKIT_API_SECRET must be set');
  expect(read).toThrow('LIVEKIT_API_KEYS is set, and nobody reads it: did you mean LIVEKIT_API_KEY?');
});

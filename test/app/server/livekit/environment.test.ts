import { readEnvironment } from '../../../../app/server/environment.ts';

const liveKit = {
  LIVEKIT_URL: 'wss://livekit.example.com',
  LIVEKIT_API_KEY: 'key',
  LIVEKIT_API_SECRET: 'the secret of LiveKit, of forty characters',
};
const read = (variables: NodeJS.ProcessEnv) => readEnvironment({ AUTH: 'none', ...variables });

test('absent: there are no calls', () => {
  expect(read({}).liveKit).toBeUndefined();
});

test('the API is where browsers go, unless it is named', () => {
  expect(read(liveKit).liveKit).toMatchObject({
    url: liveKit.LIVEKIT_URL,
    apiUrl: 'https://livekit.example.com',
  });
  const apiUrl = 'http://livekit.internal:7880';
  expect(read({ ...liveKit, LIVEKIT_API_URL: apiUrl }).liveKit).toMatchObject({ apiUrl });
});

test('half of it is an error that says what is missing', () => {
  expect(() => read({ LIVEKIT_URL: liveKit.LIVEKIT_URL })).toThrow(
    'LIVEKIT_API_KEY, LIVEKIT_API_SECRET must be set where LiveKit is',
  );
  expect(() => read({ LIVEKIT_API_URL: 'http://x' })).toThrow(
    'LIVEKIT_URL, LIVEKIT_API_KEY, LIVEKIT_API_SECRET',
  );
});

test('all faults at once, and the secret is not told', () => {
  const faulty = () => read({ ...liveKit, LIVEKIT_URL: 'https://livekit', LIVEKIT_API_SECRET: 'hunter2' });
  expect(faulty).toThrow('LIVEKIT_URL must be a URL of ws:// or wss://, got: https://livekit');
  expect(faulty).toThrow('LIVEKIT_API_SECRET must have 32 characters or more, got: 7 characters');
  expect(faulty).not.toThrow('hunter2');
});

test('the key before is optional, and complete', () => {
  const previous = { LIVEKIT_PREVIOUS_API_KEY: 'key-0', LIVEKIT_PREVIOUS_API_SECRET: 'p'.repeat(40) };
  expect(read(liveKit).liveKit).not.toHaveProperty('previous');
  expect(read({ ...liveKit, ...previous }).liveKit).toMatchObject({
    previous: { apiKey: 'key-0', apiSecret: 'p'.repeat(40) },
  });
  expect(() => read({ ...liveKit, LIVEKIT_PREVIOUS_API_KEY: 'key-0' })).toThrow(
    'LIVEKIT_PREVIOUS_API_KEY and LIVEKIT_PREVIOUS_API_SECRET must both be set, or neither',
  );
  const short = () => read({ ...liveKit, ...previous, LIVEKIT_PREVIOUS_API_SECRET: 'hunter2' });
  expect(short).toThrow('got: 7 characters');
  expect(short).not.toThrow('hunter2');
});

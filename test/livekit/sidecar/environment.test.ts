import { renderLiveKit } from '../../../livekit/config/render.ts';
import { readSettings } from '../../../livekit/sidecar/environment.ts';

const ecs = {
  AWS_REGION: 'eu-central-1',
  ECS_AGENT_URI: 'http://169.254.170.2/api/abc',
  ECS_CONTAINER_METADATA_URI_V4: 'http://169.254.170.2/v4/abc',
};
const config = renderLiveKit({
  address: { kind: 'environment' },
  redis: { endpoints: [{ host: 'cache', port: 6380 }], username: 'livekit', tls: true, caFile: '/ca.pem' },
});

test('beside a node: the metrics and the Redis are those of its configuration', () => {
  expect(readSettings({ ...ecs, LIVEKIT_CONFIG: config, REDIS_PASSWORD: 'p' })).toMatchObject({
    service: 'livekit',
    loadUrl: 'http://127.0.0.1:6789/metrics',
    redis: {
      host: 'cache',
      port: 6380,
      username: 'livekit',
      password: 'p',
      db: 0,
      tls: { caFile: '/ca.pem' },
    },
    maxCallDrainMs: 3_600_000,
    addressSource: 'imds',
    folder: '/node',
  });
});

test('beside an agent: its worker, no Redis, no address', () => {
  const AGENT_WORKER_URL = 'http://127.0.0.1:8081/worker';
  expect(readSettings({ ...ecs, AGENT_WORKER_URL })).toMatchObject({
    service: 'agent',
    loadUrl: AGENT_WORKER_URL,
    redis: undefined,
    addressSource: undefined,
  });
});

test('all faults at once, and no secret among them', () => {
  const read = () =>
    readSettings({ MAX_CALL_DRAIN_MINUTES: '151', REDIS_PASSWORD: 'hunter2', LIVEKIT_CONFIG: 'port: 1' });
  expect(read).toThrow('ECS_AGENT_URI must be set');
  expect(read).toThrow('AWS_REGION must be set');
  expect(read).toThrow('MAX_CALL_DRAIN_MINUTES');
  expect(read).toThrow('LIVEKIT_CONFIG must be JSON');
  expect(read).not.toThrow('hunter2');
  expect(() => readSettings(ecs)).toThrow('one of LIVEKIT_CONFIG and AGENT_WORKER_URL must be set, got: 0');
});

test.each([
  ['it has no port of metrics', {}],
  ['its port is a text', { prometheus: { port: '6789' } }],
  ['its Redis has no port', { prometheus: { port: 6789 }, redis: { address: 'cache' } }],
  ['it is no object', null],
])('a node’s configuration is refused if %s', (_case, LIVEKIT_CONFIG) => {
  expect(() => readSettings({ ...ecs, LIVEKIT_CONFIG: JSON.stringify(LIVEKIT_CONFIG) })).toThrow(
    'LIVEKIT_CONFIG must be JSON, as livekit/config renders it',
  );
});

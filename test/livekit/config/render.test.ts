import { parse } from 'yaml';
import { nodeHealthCheck } from '../../../livekit/config/container.ts';
import { secretEnvironment } from '../../../livekit/config/environment.ts';
import { liveKitPorts, portsOfNode } from '../../../livekit/config/ports.ts';
import { renderLiveKit } from '../../../livekit/config/render.ts';
import type { LiveKitSettings } from '../../../livekit/config/settings.ts';
import { keysIn, knownKeys } from './known-keys.ts';
import { variants } from './variants.ts';

const rendered = (settings: LiveKitSettings) => parse(renderLiveKit(settings));

test.each(variants)(
  '%s: every key is one that the server knows, and none holds a secret',
  (_name, settings) => {
    expect(keysIn(rendered(settings)).filter((key) => !knownKeys.has(key))).toEqual([]);
    expect(renderLiveKit(settings)).not.toContain('the-password-of-the-cache');
  },
);

test('on AWS: public ports, the address from NODE_IP, Redis as host:port, TLS for TURN ends in front', () => {
  const [, settings] = variants[0] as (typeof variants)[number];
  expect(rendered(settings)).toMatchObject({
    port: 7880,
    rtc: {
      tcp_port: 7881,
      udp_port: '7882-7897',
      use_external_ip: false,
      ips: { excludes: ['169.254.0.0/16'] },
    },
    redis: { address: 'cache.example.com:6379', username: 'livekit', tls: { enabled: true } },
    node_selector: { kind: 'cpuload' },
    room: { empty_timeout: 60, departure_timeout: 10, max_participants: 200 },
    limit: { subscription_limit_video: 16, subscription_limit_audio: 40, max_metadata_size: 5_000 },
    webhook: { urls: ['https://example.com/api/livekit/webhook'], api_key: 'key' },
    turn: { enabled: true, domain: 'turn.example.com', tls_port: 5349, udp_port: 3478, external_tls: true },
  });
  expect(rendered(settings).rtc).not.toHaveProperty('port_range_start');
  expect(rendered(settings).rtc).not.toHaveProperty('node_ip');
});

test('where nothing of a section is set, there is none', () => {
  const config = rendered({ address: { kind: 'loopback' }, room: {}, limits: {} });
  expect(config).not.toHaveProperty('room');
  expect(config).not.toHaveProperty('limit');
});

test('on one machine: loopback only, and each of two nodes has its own ports', () => {
  const [one, two] = [0, 1].map((index) => {
    const { port, rtc, prometheus } = rendered({ address: { kind: 'loopback' }, ports: portsOfNode(index) });
    const [first, last] = rtc.udp_port.split('-').map(Number);
    return [port, rtc.tcp_port, prometheus.port, first, last];
  });
  expect(new Set([...(one as number[]), ...(two as number[])]).size).toBe(10);
  expect(rendered({ address: { kind: 'loopback' } })).toMatchObject({
    bind_addresses: ['127.0.0.1'],
    rtc: { node_ip: '127.0.0.1', use_external_ip: false, enable_loopback_candidate: true },
  });
});

test('secrets are separate variables: keys as YAML that the server reads, the Redis password as it is', () => {
  const keys = [
    { key: 'one', secret: 's: 1 "#' },
    { key: 'two', secret: 's2' },
  ];
  const environment = secretEnvironment(keys, { password: 'p' });
  expect(parse(environment.LIVEKIT_KEYS as string)).toEqual({ one: 's: 1 "#', two: 's2' });
  expect(environment.REDIS_PASSWORD).toBe('p');
  expect(secretEnvironment(keys)).not.toHaveProperty('REDIS_PASSWORD');
});

test('a reference of the CDK is accepted as a host and a port', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: how the CDK writes a reference
  const endpoints = [{ host: '${Token[TOKEN.12]}', port: '${Token[TOKEN.13]}' }];
  const { redis } = rendered({ address: { kind: 'environment' }, redis: { endpoints, tls: true } });
  // biome-ignore lint/suspicious/noTemplateCurlyInString: as above
  expect(redis.address).toBe('${Token[TOKEN.12]}:${Token[TOKEN.13]}');
});

describe('settings that are not valid are refused, with all faults at once', () => {
  const render = (settings: Partial<LiveKitSettings>) => () =>
    renderLiveKit({ address: { kind: 'loopback' }, ...settings });

  test('ports', () => {
    const ports = { signalling: 7880, mediaTcp: 7880, mediaUdp: [7890, 7882], prometheus: 70_000 } as const;
    expect(render({ ports })).toThrow('`ports.prometheus` must be 1–65535, got: 70000');
    expect(render({ ports })).toThrow('`ports` must differ');
    expect(render({ ports })).toThrow('`ports.mediaUdp` must end above its start, got: 7890-7882');
  });

  test('a URL for a Redis host, without its password in the message', () => {
    const endpoints = [{ host: 'rediss://user:hunter2@cache', port: 6379 }];
    expect(render({ redis: { endpoints, tls: true } })).toThrow(
      'the Redis host must be a name or an address',
    );
    expect(render({ redis: { endpoints, tls: true } })).not.toThrow('hunter2');
  });

  test('a list of Redis endpoints', () => {
    const endpoints = ['a', 'b'].map((host) => ({ host, port: 6379 }));
    expect(render({ redis: { endpoints, tls: true } })).toThrow('LiveKit takes one Redis endpoint, got: 2');
  });
});

test('a container is healthy while its port accepts connections, whatever Redis does', () => {
  expect(nodeHealthCheck(liveKitPorts.signalling)).toEqual(['CMD-SHELL', 'nc -z 127.0.0.1 7880']);
});

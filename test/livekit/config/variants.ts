import type { LiveKitSettings } from '../../../livekit/config/settings.ts';

const redis = {
  endpoints: [{ host: 'cache.example.com', port: 6379 }],
  username: 'livekit',
  password: 'the-password-of-the-cache',
  tls: true,
} as const;

/** The configurations that the stack and the local topology ask for. */
export const variants: readonly (readonly [name: string, settings: LiveKitSettings])[] = [
  [
    'on AWS: EC2, a cache with TLS, webhooks, TURN with a domain',
    {
      address: { kind: 'environment' },
      redis,
      webhook: { urls: ['https://example.com/api/livekit/webhook'], apiKey: 'key' },
      turn: { domain: 'turn.example.com' },
      room: { emptyTimeoutSeconds: 60, departureTimeoutSeconds: 10, maxParticipants: 200 },
      limits: { maxVideoSubscriptions: 16, maxAudioSubscriptions: 40, maxMetadataBytes: 5_000 },
      logLevel: 'warn',
    },
  ],
  [
    'on one machine: a cache with a certificate of its own',
    { address: { kind: 'loopback' }, redis: { ...redis, database: 3, caFile: '/tmp/ca.pem' } },
  ],
  ['alone on one machine', { address: { kind: 'loopback' } }],
];

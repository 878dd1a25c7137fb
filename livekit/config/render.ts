import { liveKitPorts, turnPorts } from './ports.ts';
import { LiveKitConfigError, redisSection } from './redis.ts';
import type { LiveKitSettings, NodeAddress } from './settings.ts';

/**
 * The settings as livekit.yaml, for `LIVEKIT_CONFIG` or a file. It is JSON, which is YAML: no library, nothing to
 * escape, and a reference of the CDK in it is resolved as in any other text.
 *
 * @throws LiveKitConfigError that lists every fault
 */
export function renderLiveKit(settings: LiveKitSettings): string {
  return JSON.stringify(liveKitConfig(settings), undefined, 1);
}

/** The same as an object, with LiveKit's own names: a name that it doesn't know keeps it from starting. */
export function liveKitConfig(settings: LiveKitSettings) {
  const { ports = liveKitPorts, redis, room, webhook, logLevel = 'info' } = settings;
  const faults = faultsIn(settings);
  if (faults.length > 0) throw new LiveKitConfigError(`LiveKit can't be configured so: ${faults.join('; ')}`);
  return {
    port: ports.signalling,
    ...(settings.address.kind === 'loopback' ? { bind_addresses: ['127.0.0.1'] } : {}),
    prometheus: { port: ports.prometheus },
    rtc: {
      tcp_port: ports.mediaTcp,
      // Never together with `port_range_start`, which would win.
      udp_port: ports.mediaUdp.join('-'),
      ...addressing(settings.address),
    },
    ...(redis && { redis: redisSection(redis) }),
    signal_relay: signalRelay,
    // Counts a container's own share of the processors, which `sysload` does not.
    node_selector: { kind: 'cpuload' },
    ...(room && { room: roomSection(room) }),
    ...(webhook && { webhook: { urls: webhook.urls, api_key: webhook.apiKey } }),
    ...(settings.turn && { turn: turnSection(settings.turn) }),
    logging: { level: logLevel, json: true },
  };
}

/**
 * A node relays the signalling of clients whose room is on another one. If that one dies, it notices at the client's
 * next message, tries for so long, and only then lets the client go, who joins anew: with LiveKit's own 7.5 s a call was
 * away for 12.8 s, with these 3 s for 8.3 s. A Redis that stalls for longer than this costs clients a reconnect, at which
 * media goes on.
 */
const signalRelay = { retry_timeout: '3s', max_retry_interval: '1s' };

/** Host networking shows a node its host's bridges too; their addresses lead clients nowhere. */
const insideOnly = {
  ips: { excludes: ['169.254.0.0/16'] },
  interfaces: { excludes: ['docker0', 'ecs-bridge'] },
};

function addressing(address: NodeAddress) {
  switch (address.kind) {
    case 'environment':
      return { use_external_ip: false, ...insideOnly };
    case 'fixed':
      return { use_external_ip: false, node_ip: address.ip, ...insideOnly };
    case 'loopback':
      return { use_external_ip: false, node_ip: '127.0.0.1', enable_loopback_candidate: true };
  }
}

function roomSection({
  emptyTimeoutSeconds,
  departureTimeoutSeconds,
  maxParticipants,
}: NonNullable<LiveKitSettings['room']>) {
  return {
    ...(emptyTimeoutSeconds === undefined ? {} : { empty_timeout: emptyTimeoutSeconds }),
    ...(departureTimeoutSeconds === undefined ? {} : { departure_timeout: departureTimeoutSeconds }),
    ...(maxParticipants === undefined ? {} : { max_participants: maxParticipants }),
  };
}

function turnSection({ domain }: NonNullable<LiveKitSettings['turn']>) {
  const [first, last] = turnPorts.relay;
  return {
    enabled: true,
    domain,
    udp_port: turnPorts.udp,
    tls_port: turnPorts.tls,
    // Plain on `tls_port`: TLS ends at the load balancer.
    external_tls: true,
    relay_range_start: first,
    relay_range_end: last,
  };
}

function faultsIn({ ports = liveKitPorts, webhook, turn, address }: LiveKitSettings): string[] {
  const [first, last] = ports.mediaUdp;
  const faults: string[] = [];
  const single = { signalling: ports.signalling, mediaTcp: ports.mediaTcp, prometheus: ports.prometheus };
  for (const [name, port] of Object.entries({ ...single, 'mediaUdp[0]': first, 'mediaUdp[1]': last })) {
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      faults.push(`\`ports.${name}\` must be 1–65535, got: ${port}`);
    }
  }
  if (new Set(Object.values(single)).size < 3) faults.push('`ports` must differ');
  if (last <= first) faults.push(`\`ports.mediaUdp\` must end behind its start, got: ${first}-${last}`);
  if (webhook && webhook.urls.length === 0) faults.push('`webhook.urls` must name one or more');
  if (turn && turn.domain === '') faults.push('`turn.domain` must not be empty');
  if (address.kind === 'fixed' && address.ip === '') faults.push('`address.ip` must not be empty');
  return faults;
}

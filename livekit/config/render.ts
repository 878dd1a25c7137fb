import { liveKitPorts, turnPorts } from './ports.ts';
import { LiveKitConfigError, redisSection } from './redis.ts';
import type { LiveKitSettings, NodeAddress } from './settings.ts';

/**
 * The settings as livekit.yaml, for `LIVEKIT_CONFIG` or a file. The text is JSON, which is valid YAML: it needs no
 * library and no escaping, and the CDK resolves references in it as in any other text.
 *
 * @throws LiveKitConfigError that lists every fault
 */
export function renderLiveKit(settings: LiveKitSettings): string {
  return JSON.stringify(liveKitConfig(settings), undefined, 1);
}

/** The configuration as an object with LiveKit's own names. LiveKit does not start if it finds an unknown name. */
export function liveKitConfig(settings: LiveKitSettings) {
  const { ports = liveKitPorts, redis, room, limits, webhook, logLevel = 'info' } = settings;
  const faults = faultsIn(settings);
  if (faults.length > 0)
    throw new LiveKitConfigError(`The LiveKit settings are not valid: ${faults.join('; ')}`);
  return {
    port: ports.signalling,
    ...(settings.address.kind === 'loopback' ? { bind_addresses: ['127.0.0.1'] } : {}),
    prometheus: { port: ports.prometheus },
    rtc: {
      tcp_port: ports.mediaTcp,
      // Never set `port_range_start` as well: it would take precedence.
      udp_port: ports.mediaUdp.join('-'),
      ...addressing(settings.address),
    },
    ...(redis && { redis: redisSection(redis) }),
    signal_relay: signalRelay,
    // Who is in a call is asked of its node: the list in Redis keeps for good who was on a node that died.
    api: { enable_psrpc_for_get_list_participants: true },
    // `cpuload` respects a container's share of the processors; `sysload` does not.
    node_selector: { kind: 'cpuload' },
    ...section('room', room && roomSection(room)),
    ...section('limit', limits && limitSection(limits)),
    ...(webhook && { webhook: { urls: webhook.urls, api_key: webhook.apiKey } }),
    ...(settings.turn && { turn: turnSection(settings.turn) }),
    logging: { level: logLevel, json: true },
  };
}

/**
 * A node relays the signalling of clients whose room is on another node. If that node dies, the relay notices at the
 * client's next message, retries for this time, and then closes the connection, so that the client joins again. With
 * LiveKit's default of 7.5 s a call was interrupted for 12.8 s, with 3 s for 8.3 s. If Redis stalls for longer, clients
 * reconnect, and their media continues.
 */
const signalRelay = { retry_timeout: '3s', max_retry_interval: '1s' };

/** With host networking a node also sees its host's bridges. Clients can't reach their addresses. */
const hostOnly = {
  ips: { excludes: ['169.254.0.0/16'] },
  interfaces: { excludes: ['docker0', 'ecs-bridge'] },
};

function addressing(address: NodeAddress) {
  switch (address.kind) {
    case 'environment':
      return { use_external_ip: false, ...hostOnly };
    case 'loopback':
      return { use_external_ip: false, node_ip: '127.0.0.1', enable_loopback_candidate: true };
  }
}

function roomSection({
  emptyTimeoutSeconds,
  departureTimeoutSeconds,
  maxParticipants,
}: NonNullable<LiveKitSettings['room']>) {
  return defined({
    empty_timeout: emptyTimeoutSeconds,
    departure_timeout: departureTimeoutSeconds,
    max_participants: maxParticipants,
  });
}

function limitSection({
  maxVideoSubscriptions,
  maxAudioSubscriptions,
  maxMetadataBytes,
}: NonNullable<LiveKitSettings['limits']>) {
  return defined({
    subscription_limit_video: maxVideoSubscriptions,
    subscription_limit_audio: maxAudioSubscriptions,
    max_metadata_size: maxMetadataBytes,
  });
}

const section = (name: string, value: object | undefined) => (value ? { [name]: value } : {});

/** A section without what LiveKit has defaults for; undefined if nothing is left. */
function defined(section: Record<string, number | undefined>) {
  const entries = Object.entries(section).filter(([, value]) => value !== undefined);
  return entries.length > 0 ? Object.fromEntries(entries) : undefined;
}

function turnSection({ domain }: NonNullable<LiveKitSettings['turn']>) {
  const [first, last] = turnPorts.relay;
  return {
    enabled: true,
    domain,
    udp_port: turnPorts.udp,
    tls_port: turnPorts.tls,
    // The load balancer terminates TLS, so the traffic on `tls_port` is plain.
    external_tls: true,
    relay_range_start: first,
    relay_range_end: last,
  };
}

function faultsIn({ ports = liveKitPorts, webhook, turn }: LiveKitSettings): string[] {
  const [first, last] = ports.mediaUdp;
  const faults: string[] = [];
  const single = { signalling: ports.signalling, mediaTcp: ports.mediaTcp, prometheus: ports.prometheus };
  for (const [name, port] of Object.entries({ ...single, 'mediaUdp[0]': first, 'mediaUdp[1]': last })) {
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      faults.push(`\`ports.${name}\` must be 1–65535, got: ${port}`);
    }
  }
  if (new Set(Object.values(single)).size < 3) faults.push('`ports` must differ');
  if (last <= first) faults.push(`\`ports.mediaUdp\` must end above its start, got: ${first}-${last}`);
  if (webhook && webhook.urls.length === 0) faults.push('`webhook.urls` must name one or more');
  if (turn && turn.domain === '') faults.push('`turn.domain` must not be empty');
  return faults;
}

/** Keys of livekit-server 1.13.5 (`pkg/config/config.go` and what it embeds), as far as a node of ours can need them. */
export const knownKeys: ReadonlySet<string> = new Set([
  ...['port', 'bind_addresses', 'region', 'key_file', 'keys', 'log_level', 'development'],
  ...within('prometheus', ['port', 'username', 'password']),
  ...within('rtc', [
    ...['udp_port', 'tcp_port', 'port_range_start', 'port_range_end', 'node_ip', 'stun_servers'],
    ...['use_external_ip', 'skip_external_ip_validation', 'advertise_internal_ip', 'external_ip_only'],
    ...['use_ice_lite', 'enable_loopback_candidate', 'use_mdns', 'force_tcp', 'allow_tcp_fallback'],
    ...within('interfaces', ['includes', 'excludes']),
    ...within('ips', ['includes', 'excludes']),
  ]),
  ...within('redis', [
    ...['address', 'username', 'password', 'db', 'cluster_addresses'],
    ...within('tls', [
      'enabled',
      'insecure',
      'server_name',
      'ca_cert_file',
      'client_cert_file',
      'client_key_file',
    ]),
  ]),
  ...within('room', [
    ...['auto_create', 'enabled_codecs', 'max_participants', 'empty_timeout', 'departure_timeout'],
    ...['enable_remote_unmute', 'sync_streams', 'create_room_timeout', 'create_room_attempts'],
  ]),
  ...within('limit', [
    ...['num_tracks', 'bytes_per_sec', 'subscription_limit_video', 'subscription_limit_audio'],
    ...['max_metadata_size', 'max_attributes_size', 'max_room_name_length'],
  ]),
  ...within('turn', [
    ...['enabled', 'domain', 'cert_file', 'key_file', 'tls_port', 'udp_port', 'external_tls'],
    ...['relay_range_start', 'relay_range_end', 'bind_addresses', 'ttl_seconds'],
  ]),
  ...within('signal_relay', [
    ...[
      'retry_timeout',
      'min_retry_interval',
      'max_retry_interval',
      'stream_buffer_size',
      'connect_attempts',
    ],
  ]),
  ...within('api', ['execution_timeout', 'enable_psrpc_for_get_list_participants']),
  ...within('webhook', ['urls', 'api_key']),
  ...within('node_selector', ['kind', 'sort_by', 'algorithm', 'cpu_load_limit', 'sysload_limit', 'regions']),
  ...within('logging', ['json', 'level', 'sample', 'pion_level']),
]);

/** Every key of an object, `rtc.udp_port`; lists count as values. */
export function keysIn(value: object, prefix = ''): string[] {
  return Object.entries(value).flatMap(([name, inner]) => {
    const path = `${prefix}${name}`;
    const isSection = typeof inner === 'object' && inner !== null && !Array.isArray(inner);
    return isSection ? [path, ...keysIn(inner, `${path}.`)] : [path];
  });
}

function within(section: string, keys: readonly string[]): string[] {
  return [section, ...keys.map((key) => `${section}.${key}`)];
}

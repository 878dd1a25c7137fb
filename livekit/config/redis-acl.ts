/** A Redis user's permissions, in the words of `ACL SETUSER`, as for the service. */
export interface LiveKitAcl {
  readonly keys: readonly string[];
  readonly channels: readonly string[];
  readonly commands: readonly string[];
}

/** LiveKit's keys have no prefix, and the names of its locks are hashes: 44 characters of base64 that end in `=`. */
const keys = [
  ...['livekit_version', 'nodes', 'room_node_map', 'rooms', 'room_internal'],
  ...['room_participants:*', 'room_lock:*', 'agent_dispatch:*', 'agent_job:*'],
  ...['egress', 'ended_egress', 'egress:room:*', 'ingress', '{ingress}_*', 'room_{ingress}:*', 'sip_*'],
  `${'?'.repeat(43)}=`,
];

const channels = [
  ...['Keepalive', 'Signal', 'Room', 'RoomManager', 'Participant'],
  ...['AgentInternal', 'AgentDispatchInternal', 'WHIP', 'WHIPParticipant'],
  ...[
    'IOInfo',
    'IOInfoSIP',
    'EgressInternal',
    'EgressHandler',
    'IngressInternal',
    'IngressHandler',
    'SIPInternal',
  ],
].map((name) => `${name}|*`);

const commands = [
  ...['ping', 'select', 'client|setname'],
  ...['get', 'set', 'del'],
  ...['hset', 'hget', 'hmget', 'hgetall', 'hvals', 'hkeys', 'hdel'],
  ...['sadd', 'srem', 'smembers'],
  ...['eval', 'evalsha'],
  ...['publish', 'subscribe', 'unsubscribe'],
  ...['multi', 'exec', 'watch', 'unwatch'],
];

/**
 * Permissions of LiveKit's Redis user.
 *
 * @param serverVersion as the server reports it, such as `Redis 7.0.15` or `8.1.0`. The command `client|setinfo` exists
 *   since 7.2, and an older server refuses an ACL file that names it. LiveKit works without it. @default 7.2 or newer
 */
export function liveKitAcl(serverVersion?: string): LiveKitAcl {
  return {
    keys,
    channels,
    commands: knowsSetInfo(serverVersion) ? [...commands, 'client|setinfo'] : commands,
  };
}

function knowsSetInfo(version: string | undefined): boolean {
  if (version === undefined) return true;
  const [, major, minor] = /(\d+)\.(\d+)/.exec(version) ?? [];
  if (major === undefined) return false;
  return Number(major) > 7 || (Number(major) === 7 && Number(minor) >= 2);
}

import type { AclRules } from '../../../app/server/redis/acl.ts';

/**
 * Permissions for a client library that connects instances by Pub/Sub alone, as the backplanes of SignalR and
 * python-socketio do.
 *
 * @param prefix of every channel of the service; it keeps two services on one cache apart
 */
export function pubSubAcl(prefix: string): AclRules {
  return {
    // StackExchange.Redis reads this key to choose between primaries, and announces changes on this channel.
    keys: ['__Booksleeve_TieBreak'],
    channels: [`${prefix}*`, '__Booksleeve_MasterChanged'],
    commands: [
      'client|id',
      'client|setinfo',
      'client|setname',
      // Without it, StackExchange.Redis takes a cluster for a single server (StackExchange.Redis#1795).
      'cluster|nodes',
      'echo',
      'get',
      'info',
      'ping',
      'publish',
      'subscribe',
      'unsubscribe',
    ],
  };
}

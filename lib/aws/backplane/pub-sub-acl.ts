import type { AclRules } from '../../../app/server/redis/acl.ts';

/**
 * What a client library needs that joins instances by Pub/Sub alone, as SignalR's and python-socketio's backplanes do.
 *
 * @param prefix of every channel of the service, so that two services on one cache don't hear each other
 */
export function pubSubAcl(prefix: string): AclRules {
  return {
    // StackExchange.Redis asks here which of several primaries leads, and there tells of a change.
    keys: ['__Booksleeve_TieBreak'],
    channels: [`${prefix}*`, '__Booksleeve_MasterChanged'],
    commands: [
      'client|id',
      'client|setinfo',
      'client|setname',
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

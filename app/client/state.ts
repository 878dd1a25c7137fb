/**
 * What a page can show of a connection.
 *
 * `degraded`: connected, but the instance has lost its backplane: publishes wait, nothing is lost unsaid.
 * `refused`: the service does not take this client, for example because its token is not valid.
 */
export type ConnectionState = 'connecting' | 'connected' | 'degraded' | 'reconnecting' | 'refused' | 'closed';

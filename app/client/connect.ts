import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import type { ClientToServer, ServerToClient } from '../protocol/hub.ts';

export type HubSocket = Socket<ServerToClient, ClientToServer>;
export type ConnectOptions = Partial<ManagerOptions & SocketOptions>;

/**
 * A plain Socket.IO client of one hub, without the delivery contract: `openHub` has it.
 *
 * WebSocket first, so that the load balancer's stickiness matters only where a network blocks WebSockets and
 * long polling takes over.
 */
export function connectHub(url: string, hub: string, options: ConnectOptions = {}): HubSocket {
  return io(new URL(`/${hub}`, url).href, {
    transports: ['websocket', 'polling'],
    tryAllTransports: true,
    reconnectionDelay: 200,
    reconnectionDelayMax: 5_000,
    ...options,
  });
}

import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import type { ClientToServer, ServerToClient } from '../protocol/hub.ts';

export type HubSocket = Socket<ServerToClient, ClientToServer>;

/**
 * Connects to one hub of the service.
 *
 * WebSocket first, so that the load balancer's stickiness matters only where a network blocks WebSockets
 * and long polling takes over.
 *
 * @param url where the service answers, for example `https://realtime.example.com`
 * @param hub for example `chat`
 */
export function connectHub(
  url: string,
  hub: string,
  options: Partial<ManagerOptions & SocketOptions> = {},
): HubSocket {
  return io(new URL(`/${hub}`, url).href, {
    transports: ['websocket', 'polling'],
    tryAllTransports: true,
    reconnectionDelay: 200,
    reconnectionDelayMax: 5_000,
    ...options,
  });
}

import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';

export interface UpgradesOptions {
  /** Whether someone takes an upgrade of this path. */
  readonly isServed: (request: IncomingMessage) => boolean;
  /** Notified of each that nobody takes. */
  readonly onRefused: (request: IncomingMessage) => void;
}

/** Answers upgrades of paths that nobody serves: Node would keep their connections open. */
export function refuseOtherUpgrades(server: Server, { isServed, onRefused }: UpgradesOptions): void {
  server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    if (isServed(request)) return;
    onRefused(request);
    socket.on('error', () => socket.destroy());
    socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });
}

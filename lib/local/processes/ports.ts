import { once } from 'node:events';
import { createServer, type ListenOptions, type Server } from 'node:net';

/**
 * A port is used some time after it was chosen, and an outgoing connection would take it meanwhile. So it is chosen
 * below the ports of those: Linux begins at 32768 (`net.ipv4.ip_local_port_range`), macOS and Windows at 49152.
 */
const chosenFrom = { first: 20_000, count: 12_000 };

/** For so long, in milliseconds, nobody else chooses the port: a program takes some time until it listens. */
const claimMs = 30_000;

/**
 * Finds a loopback port that is free now: the preferred one, if it is free.
 *
 * @throws Error if none of a hundred ports is free
 */
export async function freePort(preferred?: number, attempts = 100): Promise<number> {
  const port = preferred ?? randomPort();
  try {
    if (preferred === undefined) await claim(port);
    const server = createServer();
    await listening(server, { port, host: '127.0.0.1' });
    server.close();
    return port;
  } catch (error) {
    if (attempts <= 1) throw error;
    return freePort(undefined, attempts - 1);
  }
}

function randomPort(): number {
  return chosenFrom.first + Math.floor(Math.random() * chosenFrom.count);
}

/** By an abstract socket of this name, which ends with its process at the latest. Linux alone has them. */
async function claim(port: number): Promise<void> {
  if (process.platform !== 'linux') return;
  const server = createServer((socket) => socket.destroy()).unref();
  await listening(server, { path: `\0realtime-stack/port/${port}` });
  setTimeout(() => server.close(), claimMs).unref();
}

async function listening(server: Server, at: ListenOptions): Promise<void> {
  server.listen(at);
  await once(server, 'listening');
}

/** Calls `listen` with this port and the ones after it, until one is free. */
export async function firstFree(
  port: number,
  listen: (port: number) => Promise<number>,
  attempts = 100,
): Promise<number> {
  try {
    return await listen(port);
  } catch (error) {
    const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
    if (!taken || attempts <= 1 || port >= 65535) throw error;
    return firstFree(port + 1, listen, attempts - 1);
  }
}

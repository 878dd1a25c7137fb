import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * A port is used some time after it was chosen, and an outgoing connection would take it meanwhile. So it is chosen
 * below the ports of those: Linux begins at 32768 (`net.ipv4.ip_local_port_range`), macOS and Windows at 49152.
 */
const chosenFrom = { first: 20_000, count: 12_000 };

/**
 * Finds a loopback port that is free now: the preferred one, if it is free.
 *
 * @throws Error if none of a hundred ports is free
 */
export async function freePort(preferred = randomPort(), attempts = 100): Promise<number> {
  const server = createServer();
  try {
    server.listen(preferred, '127.0.0.1');
    await once(server, 'listening');
    return preferred;
  } catch (error) {
    if (attempts <= 1) throw error;
    return freePort(randomPort(), attempts - 1);
  } finally {
    server.close();
  }
}

function randomPort(): number {
  return chosenFrom.first + Math.floor(Math.random() * chosenFrom.count);
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

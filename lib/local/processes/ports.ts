import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

/** Finds a loopback port that is free now: the preferred one, if it is free. */
export async function freePort(preferred = 0): Promise<number> {
  const server = createServer();
  try {
    server.listen(preferred, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  } catch (error) {
    if (preferred === 0) throw error;
    return freePort();
  } finally {
    server.close();
  }
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

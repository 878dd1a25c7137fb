import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { type LiveKitPorts, portsOfNode } from '../../../livekit/config/ports.ts';

/** How many blocks of ports are tried before a start fails. */
const mostBlocks = 50;

/**
 * Finds the ports of the nth node, counted from 0: the usual ones, or those of a later block if another program has one
 * of them.
 * @param blockSize how many nodes have their ports side by side
 * @throws Error when all are taken
 */
export async function freeLiveKitPorts(index: number, blockSize: number): Promise<LiveKitPorts> {
  for (let block = 0; block < mostBlocks; block += 1) {
    const ports = portsOfNode(index + block * blockSize);
    if (await allFree(ports)) return ports;
  }
  throw new Error(`no free ports for LiveKit from ${portsOfNode(index).signalling} on`);
}

async function allFree({ signalling, mediaTcp, prometheus, mediaUdp }: LiveKitPorts): Promise<boolean> {
  const [first, last] = mediaUdp;
  const udp = Array.from({ length: last - first + 1 }, (_, offset) => first + offset);
  const free = await Promise.all([
    ...[signalling, mediaTcp, prometheus].map(isTcpFree),
    ...udp.map(isUdpFree),
  ]);
  return free.every(Boolean);
}

async function isTcpFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    // On all addresses, since LiveKit receives media on each of them.
    server.listen(port);
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

async function isUdpFree(port: number): Promise<boolean> {
  const socket = createSocket('udp4');
  try {
    socket.bind(port);
    await once(socket, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    socket.close();
  }
}

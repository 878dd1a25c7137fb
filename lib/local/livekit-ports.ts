import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { type LiveKitPorts, portsOfNode } from '../../livekit/config/ports.ts';

/** Blocks of ports that are looked at before a start is given up. */
const mostBlocks = 50;

/**
 * Ports of the nth node, from 0: the usual ones, or those of a later block where another program has one of them.
 * @param blockSize nodes that have their ports side by side
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
    // All addresses: LiveKit takes media on each of them.
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

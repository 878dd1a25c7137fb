import { readFileSync } from 'node:fs';
import { Socket as TcpSocket } from 'node:net';
import { join } from 'node:path';
import { io as connect } from 'socket.io-client';
import { openMemoryStore } from '../../../../../app/server/rooms/store/store.ts';
import { type RoomsServer, startRoomsServer } from '../../../../support/servers/rooms-server.ts';
import { eventually } from '../../../../support/wait.ts';

/**
 * The direct fan-out reaches into engine.io and ws. When one of these fails after an upgrade: read what changed,
 * run the tests of both fan-outs, then change the version here; until then `fanout: 'adapter'` works.
 */
const lockfile = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../../../../app/package-lock.json'), 'utf8'),
);

test.each([
  ['socket.io', '4.8.4'],
  ['engine.io', '6.6.12'],
  ['ws', '8.21.3'],
])('%s is the version that the internals were read from', (name, version) => {
  expect(lockfile.packages[`node_modules/${name}`].version).toBe(version);
});

interface Engine {
  readonly readyState: string;
  readonly transport: {
    readonly name: string;
    readonly writable: boolean;
    readonly socket?: { readonly readyState: number; readonly _socket: unknown; terminate(): void };
  };
}

describe('what the direct fan-out reads', () => {
  let server: RoomsServer;
  beforeAll(async () => {
    server = await startRoomsServer({ store: openMemoryStore() });
  });
  afterAll(() => server.close());

  async function engineOf(transports: string[]) {
    const client = connect(`${server.url}/chat`, { forceNew: true, transports });
    await eventually('the connection', () => client.connected);
    const socket = server.io.of('/chat').sockets.get(client.id as string);
    return { client, engine: socket?.conn as unknown as Engine };
  }

  test('an open WebSocket: all of it is there', async () => {
    const { client, engine } = await engineOf(['websocket']);
    expect(engine).toMatchObject({ readyState: 'open', upgrading: false, writeBuffer: [] });
    await eventually('the transport to be writable', () => engine.transport.writable);
    expect(engine.transport).toMatchObject({ name: 'websocket', writable: true });
    expect(engine.transport.socket?.readyState).toBe(1);
    expect(engine.transport.socket?._socket).toBeInstanceOf(TcpSocket);
    expect(typeof engine.transport.socket?.terminate).toBe('function');
    client.disconnect();
    await eventually('the end', () => engine.readyState === 'closed');
  });

  test('a reply tells which packet it answers, and binary goes through it all the same', async () => {
    const { client } = await engineOf(['websocket']);
    const socket = server.io.of('/chat').sockets.get(client.id as string);
    const ids: unknown[] = [];
    socket?.on('echo', (value, reply) => {
      ids.push(reply.packetId);
      reply(value);
    });
    expect(await client.emitWithAck('echo', 'text')).toBe('text');
    expect(await client.emitWithAck('echo', Buffer.from('12'))).toEqual(Buffer.from('12'));
    expect(ids).toEqual([0, 1]);
    client.disconnect();
  });

  test('polling: no socket to write to', async () => {
    const { client, engine } = await engineOf(['polling']);
    expect(engine.transport.name).toBe('polling');
    expect(engine.transport.socket).toBeUndefined();
    client.disconnect();
  });
});

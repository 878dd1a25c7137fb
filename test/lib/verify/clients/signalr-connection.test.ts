import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buildConnection, signalRWays } from '../../../../lib/verify/clients/signalr-connection.ts';

let server: Server;

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** Negotiates; what it does with the stream, each test says. @returns the URL of its hub */
async function serve(
  onStream: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  server = createServer((request, response) => {
    if (request.method === 'GET') return onStream(request, response);
    const availableTransports = [{ transport: 'ServerSentEvents', transferFormats: ['Text'] }];
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({ connectionId: 'a', connectionToken: 'b', negotiateVersion: 1, availableTransports }),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hub`;
}

test('a stream that never opens ends with its connection', async () => {
  const streams = new EventEmitter();
  const url = await serve((request) => void streams.emit('stream', request));
  const { connection, stop } = buildConnection(url, signalRWays.eventStream);
  const opening = once(streams, 'stream') as Promise<[IncomingMessage]>;
  const started = expect(connection.start()).rejects.toThrow('before stop() was called');
  const [request] = await opening;
  const ended = once(request.socket, 'close');
  await stop();
  await started;
  await ended;
});

test('a stream that failed is not tried again after the end of its connection', async () => {
  let streams = 0;
  const url = await serve((request) => {
    streams += 1;
    request.destroy();
  });
  const { connection, stop } = buildConnection(url, signalRWays.eventStream);
  await expect(connection.start()).rejects.toThrow('EventSource failed to connect');
  await stop();
  const before = streams;
  // The stream's own next try would come within a second.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(streams).toBe(before);
});

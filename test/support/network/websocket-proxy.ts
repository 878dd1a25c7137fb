import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** What a proxy does to WebSockets; plain requests pass through all of them. */
export type Treatment =
  /** Passes them. */
  | 'passes'
  /** Takes the request for one, and never answers. */
  | 'swallows'
  /** Passes the 101, and no frame behind it. */
  | 'drops-frames'
  /** Passes the 101 and what the server says, and nothing of what the client does. */
  | 'drops-frames-of-clients'
  /** Answers 400. */
  | 'answers-400'
  /** Hangs up. */
  | 'hangs-up'
  /** Hangs up on plain requests, and passes WebSockets alone. */
  | 'passes-alone';

/** A TCP proxy in front of a server, as some networks have one. */
export interface WebSocketProxy {
  readonly url: string;
  treatment: Treatment;
  /** Requests for a WebSocket that came. */
  readonly upgrades: number;
  close(): Promise<void>;
}

export async function openWebSocketProxy(target: string, treatment: Treatment): Promise<WebSocketProxy> {
  const { port, hostname } = new URL(target);
  const open = new Set<Socket>();
  let upgrades = 0;
  const server = createServer({ noDelay: true }, (client) => {
    keep(client);
    client.once('data', (request) => {
      const isUpgrade = /^upgrade: websocket/im.test(request.toString('latin1'));
      if (isUpgrade) upgrades += 1;
      const treatment = isUpgrade ? proxy.treatment : treatmentOfPlain(proxy.treatment);
      // Only what passes needs the server. If the server is away, what is swallowed still gets no answer.
      if (!endsHere(client, treatment)) pass(client, passTo(client), request, treatment);
    });
  });
  function keep(socket: Socket): void {
    open.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => open.delete(socket));
  }
  function passTo(client: Socket): Socket {
    const upstream = connect(Number(port), hostname);
    keep(upstream);
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
    return upstream;
  }
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: WebSocketProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    treatment,
    get upgrades() {
      return upgrades;
    },
    close: async () => {
      server.close();
      for (const socket of open) socket.destroy();
      await once(server, 'close');
    },
  };
  return proxy;
}

function treatmentOfPlain(treatment: Treatment): Treatment {
  return treatment === 'passes-alone' ? 'hangs-up' : 'passes';
}

function endsHere(client: Socket, treatment: Treatment): boolean {
  if (treatment === 'swallows') return true;
  if (treatment === 'hangs-up') client.destroy();
  else if (treatment === 'answers-400') {
    client.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
  } else return false;
  return true;
}

function pass(client: Socket, upstream: Socket, request: Buffer, treatment: Treatment): void {
  upstream.write(request);
  const passes = treatment === 'passes' || treatment === 'passes-alone';
  client.on('data', (data) => passes && upstream.write(data));
  let isOpen = false;
  upstream.on('data', (data) => {
    if (!isOpen) client.write(treatment === 'drops-frames' ? headOf(data) : data);
    else if (treatment !== 'drops-frames') client.write(data);
    isOpen = true;
  });
}

/** The 101 alone: the first frame may come with it. */
function headOf(data: Buffer): Buffer {
  const end = data.indexOf('\r\n\r\n');
  return end < 0 ? data : data.subarray(0, end + 4);
}

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A proxy that gives each connection, and so each request, to any of its servers, and knows no cookies. */
export interface CookielessProxy {
  readonly url: string;
  /** Where it sends connections; those that nobody answers are tried elsewhere. */
  targets: readonly string[];
  /** Reads nothing more from its servers over the connections that are open, as a client that reads nothing does. */
  hold(): void;
  /** Reads on. */
  release(): void;
  close(): Promise<void>;
}

interface Joined {
  /** Undefined until one of the servers has answered. */
  readonly upstream?: Socket;
}

/** @param choose the index of the next target @default random */
export async function openCookielessProxy(
  targets: readonly string[],
  choose: (count: number) => number = (count) => Math.floor(Math.random() * count),
): Promise<CookielessProxy> {
  const open = new Map<Socket, Joined>();
  const server = createServer({ noDelay: true, pauseOnConnect: true }, (client) => {
    open.set(client, {});
    client.on('error', () => client.destroy());
    client.on('close', () => open.delete(client));
    const first = choose(proxy.targets.length);
    const order = proxy.targets.map(
      (_target, index) => proxy.targets[(first + index) % proxy.targets.length] as string,
    );
    joinFirst(client, order, (upstream) => open.set(client, { upstream }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: CookielessProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    targets,
    hold: () => {
      for (const [client, { upstream }] of open) upstream?.unpipe(client).pause();
    },
    release: () => {
      for (const [client, { upstream }] of open) upstream?.pipe(client);
    },
    close: async () => {
      server.close();
      for (const socket of open.keys()) socket.destroy();
      await once(server, 'close');
    },
  };
  return proxy;
}

/** Each request comes by a connection of its own: else those of one client would all go to one server. */
function joinFirst(
  client: Socket,
  [target, ...others]: readonly string[],
  onJoined: (upstream: Socket) => void,
): void {
  if (target === undefined) return void client.destroy();
  const { port, hostname } = new URL(target);
  const upstream = connect(Number(port), hostname);
  let isOpen = false;
  upstream.on('connect', () => {
    isOpen = true;
    upstream.setNoDelay(true);
    client.once('data', (data) => {
      upstream.write(closing(data));
      client.pipe(upstream);
    });
    upstream.pipe(client);
    onJoined(upstream);
    client.resume();
  });
  upstream.on('error', () => upstream.destroy());
  upstream.on('close', () => {
    if (isOpen || client.destroyed) client.destroySoon();
    else joinFirst(client, others, onJoined);
  });
  client.once('close', () => upstream.destroy());
}

function closing(data: Buffer): Buffer {
  const text = data.toString('latin1');
  if (/^upgrade:/im.test(text)) return data;
  return Buffer.from(text.replace(/^connection: [^\r\n]*/im, 'Connection: close'), 'latin1');
}

import { once } from 'node:events';
import { createServer, request as forward, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { LoadBalancer } from '../../../../lib/local/proxy/load-balancer.ts';
import { eventually } from '../../../support/wait.ts';
import type { InProcessInstance } from '../in-process-instance.ts';

export interface TestProxy {
  readonly url: string;
  close(): Promise<void>;
}

export interface StickyProxy extends TestProxy {
  /** Waits until it finds all instances healthy. */
  allHealthy(): Promise<void>;
}

/** The sticky load balancer in front of instances, once it has found all of them healthy. */
export async function stickyProxy(instances: readonly InProcessInstance[]): Promise<StickyProxy> {
  const balancer = new LoadBalancer();
  const port = await balancer.listen(0);
  for (const { id, port: targetPort } of instances) {
    balancer.register({ id, host: '127.0.0.1', port: targetPort });
  }
  const allHealthy = () =>
    eventually('all targets to be healthy', () =>
      balancer.status().every(({ health }) => health === 'healthy'),
    );
  await allHealthy();
  return { url: `http://127.0.0.1:${port}`, close: () => balancer.close(), allHealthy };
}

export interface SpreadingOptions {
  /** Pass `Upgrade` on. @default true */
  readonly upgrades?: boolean;
  /** Cut WebSockets on which nothing moved for so long. @default never */
  readonly idleMs?: number;
  /** Paths that are answered 404 and go nowhere. @default none */
  readonly closed?: RegExp;
  /** Paths whose query is dropped. @default none */
  readonly withoutQuery?: RegExp;
  /** Of Server-Sent Events: hold back the whole response, or what follows its head. @default nothing */
  readonly buffers?: 'responses' | 'bodies';
}

/** A proxy with a common mistake: each request goes to the next target, cookies or not. */
export async function spreadingProxy(
  targets: readonly string[],
  { upgrades = true, idleMs, closed, withoutQuery, buffers }: SpreadingOptions = {},
): Promise<TestProxy> {
  let turn = 0;
  const next = () => new URL(targets[turn++ % targets.length] as string);
  const server = createServer((request, response) => {
    const { method, url = '/' } = request;
    if (closed?.test(url)) return void response.writeHead(404).end();
    const path = withoutQuery?.test(url) ? url.split('?')[0] : url;
    const { hostname, port } = next();
    const { connection: _hop, upgrade: _dropped, cookie: _cookie, ...headers } = request.headers;
    const onward = forward({ hostname, port, method, path, headers, agent: false }, (answer) => {
      const isHeldBack = buffers !== undefined && answer.headers['content-type'] === 'text/event-stream';
      if (isHeldBack && buffers === 'responses') return void answer.resume();
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.flushHeaders();
      if (isHeldBack) answer.resume();
      else answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  });
  const tunnels = new Set<Socket>();
  // Without a listener Node takes an upgrade for a plain request, as a proxy does that knows none.
  if (upgrades) {
    server.on('upgrade', (request, client) => {
      if (idleMs !== undefined) (client as Socket).setTimeout(idleMs, () => client.destroy());
      tunnel(request, client as Socket, next(), tunnels);
    });
  }
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => closeServer(server, tunnels),
  };
}

function tunnel(request: IncomingMessage, client: Socket, target: URL, tunnels: Set<Socket>): void {
  const upstream = connect(Number(target.port), target.hostname, () => {
    const lines = request.rawHeaders.flatMap((text, i) => (i % 2 === 0 ? `${text}: ` : `${text}\r\n`));
    upstream.write(`GET ${request.url} HTTP/1.1\r\n${lines.join('')}\r\n`);
    upstream.pipe(client).pipe(upstream);
  });
  for (const [one, other] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    tunnels.add(one);
    one.on('error', () => other.destroy());
    one.on('close', () => {
      tunnels.delete(one);
      other.destroy();
    });
  }
}

async function closeServer(server: Server, tunnels: Set<Socket>): Promise<void> {
  server.close();
  server.closeAllConnections();
  for (const socket of tunnels) socket.destroy();
  await once(server, 'close');
}

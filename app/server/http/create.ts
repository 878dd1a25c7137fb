import { existsSync } from 'node:fs';
import type { IncomingMessage, Server } from 'node:http';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import helmet from '@fastify/helmet';
import staticFiles from '@fastify/static';
import Fastify, { type FastifyInstance, LogController } from 'fastify';
import type { Logger } from 'pino';
import { isSecure, trustProxy } from '../net/client-address.ts';
import { respondToClientError, respondToErrors } from './errors.ts';

/** Bytes of a request's JSON; the same as of a Socket.IO packet. */
export const largestBody = 100_000;
/** `maxParamLength` counts a name as it stands in the URL: 128 characters of 4 bytes, each as `%F0`. */
const longestParameter = 1_536;

export interface HttpOptions {
  readonly log: Logger;
  readonly trustedProxyHops: number;
  /** The load balancer's idle timeout: keep-alive outlasts it. */
  readonly idleTimeoutSeconds: number;
  /** Where the page may connect beside its own origin. @default nowhere */
  readonly connectTo?: readonly string[];
}

/** The HTTP server that everything is served on, with bounds on what a connection may take before any route. */
export async function createHttp(options: HttpOptions): Promise<FastifyInstance> {
  const { log, trustedProxyHops, idleTimeoutSeconds, connectTo } = options;
  const http = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: trustProxy(trustedProxyHops),
    bodyLimit: largestBody,
    // A whole request, from its first byte to its last, in milliseconds; uploads there are none.
    requestTimeout: 20_000,
    // Nothing moves on a connection for so long, in milliseconds: twice what a long poll waits for a ping.
    connectionTimeout: Math.max(60_000, (idleTimeoutSeconds + 10) * 1_000),
    // The load balancer must be the one that closes an idle connection: else it sends into a closed one, a 502.
    keepAliveTimeout: (idleTimeoutSeconds + 5) * 1_000,
    forceCloseConnections: true,
    clientErrorHandler: respondToClientError,
    routerOptions: { maxParamLength: longestParameter },
    http: { maxHeaderSize: 16_384, headersTimeout: 10_000, connectionsCheckingInterval: 2_000 },
  }) as unknown as FastifyInstance;
  respondToErrors(http);
  await secureHeaders(http, { trustedProxyHops, ...(connectTo ? { connectTo } : {}) });
  return http;
}

interface HeaderOptions {
  readonly trustedProxyHops: number;
  /** Where the page may connect beside its own origin, such as `wss://livekit.example.com`. @default nowhere */
  readonly connectTo?: readonly string[];
}

/** A year, in seconds. Of this host alone: its subdomains can be someone else's. */
const hstsSeconds = 31_536_000;

/**
 * Security headers of all answers. The page's scripts and styles are files of its own origin, so nothing inline runs;
 * `'self'` covers WebSockets of the same host and port.
 */
async function secureHeaders(http: FastifyInstance, options: HeaderOptions): Promise<void> {
  const self = ["'self'"];
  const none = ["'none'"];
  await http.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: none,
        scriptSrc: self,
        styleSrc: self,
        imgSrc: [...self, 'data:'],
        fontSrc: self,
        connectSrc: [...self, ...(options.connectTo ?? [])],
        mediaSrc: [...self, 'blob:'],
        workerSrc: [...self, 'blob:'],
        manifestSrc: self,
        baseUri: none,
        formAction: none,
        frameAncestors: none,
        objectSrc: none,
      },
    },
    crossOriginEmbedderPolicy: false,
    xFrameOptions: { action: 'deny' },
    // Said below, and only where TLS is: a browser that heard it on plain HTTP ignores it.
    strictTransportSecurity: false,
  });
  http.addHook('onRequest', async (request, reply) => {
    if (!isSecure(request.raw, options.trustedProxyHops)) return;
    reply.header('strict-transport-security', `max-age=${hstsSeconds}`);
  });
}

/** Requests that are under way when the server closes are answered within this time, in milliseconds, or not at all. */
const longestResponseMs = 5_000;

/**
 * Ends the connections of a server that closes. Node ends those that are idle at that moment, and would wait for the
 * others until their keep-alive is over.
 *
 * @returns what is called when it has closed
 */
export function endConnections(server: Server): () => void {
  const idle = setInterval(() => server.closeIdleConnections(), 100);
  const all = setTimeout(() => server.closeAllConnections(), longestResponseMs);
  return () => {
    clearInterval(idle);
    clearTimeout(all);
  };
}

/** Where `npm run build` puts the page, beside the built service. */
const builtPage = fileURLToPath(new URL('../../page', import.meta.url));

/** Serves the built page at `/`; a service built without it has none. */
export async function servePage(http: FastifyInstance): Promise<void> {
  if (!existsSync(join(builtPage, 'index.html'))) return;
  await http.register(staticFiles, {
    root: builtPage,
    cacheControl: false,
    setHeaders: (reply, path) => {
      const hashed = path.includes('/assets/');
      reply.header('cache-control', hashed ? 'public, max-age=31536000, immutable' : 'no-cache');
    },
  });
}

interface UpgradesOptions {
  /** Whether someone takes an upgrade of this path. */
  readonly isServed: (request: IncomingMessage) => boolean;
  /** Notified of each that nobody takes. */
  readonly onRefused: (request: IncomingMessage) => void;
}

/** Answers upgrades of paths that nobody serves: Node would keep their connections open. */
export function refuseOtherUpgrades(server: Server, { isServed, onRefused }: UpgradesOptions): void {
  server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    if (isServed(request)) return;
    onRefused(request);
    socket.on('error', () => socket.destroy());
    socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });
}

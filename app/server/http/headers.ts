import helmet from '@fastify/helmet';
import type { FastifyInstance } from 'fastify';
import { isSecure } from '../net/client-address.ts';

export interface HeaderOptions {
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
export async function secureHeaders(http: FastifyInstance, options: HeaderOptions): Promise<void> {
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

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import staticFiles from '@fastify/static';
import type { FastifyInstance } from 'fastify';

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

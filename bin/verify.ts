import { environmentNames as names } from '../app/names.ts';
import { verify } from '../lib/verify/verify.ts';

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    console.error('\nstopping; the topology is put back first (again to leave at once)');
    interrupted.abort(new Error(signal));
  });
}

const exitCode = await verify(process.argv.slice(2), {
  output: process.stdout,
  errors: process.stderr,
  signal: interrupted.signal,
  secrets: {
    serviceToken: process.env[names.serviceToken],
    authSecret: process.env[names.authSecret],
    authIssuer: process.env[names.authIssuer],
    authAudience: process.env[names.authAudience],
  },
});
// A publish that was under way at Ctrl-C would go on trying.
process.exit(exitCode);

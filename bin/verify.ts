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
});
// A publish that was under way at Ctrl-C would go on trying.
process.exit(exitCode);

import { environmentNames as names } from '../app/names.ts';
import { redactor } from '../lib/verify/redaction.ts';
import { verify } from '../lib/verify/verify.ts';

/** Under npm one Ctrl-C arrives twice, from the terminal and from npm. */
const doubledSignalMs = 500;

const interrupted = new AbortController();
let interruptedAt: number | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (interruptedAt === undefined) {
      interruptedAt = performance.now();
      console.error('\nstopping; the topology is put back first (again to leave at once)');
      interrupted.abort(new Error(signal));
    } else if (performance.now() - interruptedAt > doubledSignalMs) {
      process.exit(130);
    }
  });
}
// Who reads the report may have enough of it.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

const exitCode = await verify(process.argv.slice(2), {
  output: process.stdout,
  errors: process.stderr,
  signal: interrupted.signal,
  secrets: {
    serviceToken: process.env[names.serviceToken],
    authSecret: process.env[names.authSecret],
    authIssuer: process.env[names.authIssuer],
    authAudience: process.env[names.authAudience],
    authSubjectClaim: process.env[names.authSubjectClaim],
  },
  examineOther: async (url, output) => {
    const { diagnose } = await import('../lib/doctor/url/diagnose.ts');
    const { readQuestion } = await import('../lib/doctor/url/read-question.ts');
    // A stranger gets no token, and the Redis that is named here need not be its own.
    return diagnose(readQuestion({ url }, {}, interrupted.signal), output, redactor([]));
  },
});
// A publish that was under way at Ctrl-C would go on trying.
process.exit(exitCode);

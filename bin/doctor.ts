import { doctor } from '../lib/doctor/doctor.ts';

// Nothing is deployed from here: the CDK's validator would only take a second.
process.env.CDK_VALIDATION ??= 'false';
// Who reads the report may have enough of it.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
process.exitCode = await doctor(process.argv.slice(2), {
  output: process.stdout,
  errors: process.stderr,
  environment: process.env,
});

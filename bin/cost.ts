import { cost } from '../lib/cost/cost.ts';

// Nothing is deployed from here: the CDK's validator would only take a second.
process.env.CDK_VALIDATION ??= 'false';
process.exitCode = await cost(process.argv.slice(2), { output: process.stdout, errors: process.stderr });

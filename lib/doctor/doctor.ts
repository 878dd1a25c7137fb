import { ConfigError } from '../config/config.ts';
import { json } from '../verify/report.ts';
import { CannotDiagnoseError, help, readArguments, type Surroundings } from './arguments.ts';

/** Runs the command and resolves with its exit code, which `help` in arguments.ts explains. */
export async function doctor(words: readonly string[], surroundings: Surroundings): Promise<number> {
  const { output, errors } = surroundings;
  try {
    return await followArguments(words, surroundings);
  } catch (error) {
    const isExpected = error instanceof CannotDiagnoseError || error instanceof ConfigError;
    const message = isExpected ? error.message : `a fault of the doctor itself: ${(error as Error).stack}`;
    errors.write(`${message}\n`);
    if (words.includes('--json')) output.write(json({ ok: false, error: message }));
    return 2;
  }
}

async function followArguments(words: readonly string[], surroundings: Surroundings): Promise<number> {
  const { output } = surroundings;
  const given = readArguments(words);
  if (given.help) {
    output.write(given.json ? json({ ok: true, help }) : help);
    return 0;
  }
  // The CDK and the clients of AWS take seconds to load.
  const { policy, preflight } = await import('./deploy/preflight.ts');
  if (given.policy) {
    output.write(json(policy));
    return 0;
  }
  return preflight(given, surroundings);
}

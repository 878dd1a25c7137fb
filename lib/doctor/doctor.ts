import { ConfigError } from '../config/config.ts';
import { redactor } from '../verify/redaction.ts';
import { json } from '../verify/report.ts';
import { help, readArguments, type Surroundings } from './arguments.ts';
import { CannotDiagnoseError } from './finding.ts';
import type { Question } from './url/survey.ts';

/** Runs the command and resolves with its exit code, which `help` in arguments.ts explains. */
export async function doctor(words: readonly string[], surroundings: Surroundings): Promise<number> {
  const { output, errors } = surroundings;
  try {
    return await followArguments(words, surroundings);
  } catch (error) {
    const isExpected = error instanceof CannotDiagnoseError || error instanceof ConfigError;
    const said = isExpected ? error.message : `a fault of the doctor itself: ${(error as Error).stack}`;
    // Node's own words repeat an argument, which may be a token that follows a typing error.
    const message = redactor([])(said);
    errors.write(`${message}\n`);
    if (words.includes('--json')) output.write(json({ ok: false, error: message }));
    return 2;
  }
}

async function followArguments(words: readonly string[], surroundings: Surroundings): Promise<number> {
  const { output } = surroundings;
  const given = readArguments(words, surroundings);
  if (given.help) {
    output.write(given.json ? json({ ok: true, help }) : help);
    return 0;
  }
  if (given.question) return lookAt(given.question, given.json, surroundings);
  // The CDK and the clients of AWS take seconds to load.
  const { policy, preflight } = await import('./deploy/preflight.ts');
  if (given.policy) {
    output.write(json(policy));
    return 0;
  }
  return preflight(given, surroundings);
}

async function lookAt(
  question: Question,
  isJson: boolean,
  { output, errors }: Surroundings,
): Promise<number> {
  const { diagnose } = await import('./url/diagnose.ts');
  const secrets = [question.token ?? '', question.redis?.setting.password ?? ''];
  const diagnosis = await diagnose(question, isJson ? errors : output, redactor(secrets));
  if (isJson) output.write(json(diagnosis));
  return diagnosis.ok ? 0 : 1;
}

import { help, readArguments, type Secrets, UsageError } from './arguments.ts';
import { openStack } from './aws/open-stack.ts';
import { allChecks } from './checks/all.ts';
import { findTarget } from './find-target.ts';
import { findTokens } from './find-tokens.ts';
import { leftOutOf } from './livekit/left-out.ts';
import { jsonReport, type Output, summarize, tableReport } from './report.ts';
import { runChecks } from './run.ts';

export interface Surroundings {
  readonly output: Output;
  readonly errors: Output;
  /** Aborted on Ctrl-C. */
  readonly signal: AbortSignal;
  /** Where topologies on this machine keep their state files. @default .local in the project's root */
  readonly stateFolder?: string;
  /** @default none */
  readonly secrets?: Secrets;
}

/** Runs the command and resolves with its exit code; `help` in arguments.ts says which. */
export async function verify(words: readonly string[], surroundings: Surroundings): Promise<number> {
  try {
    return await followArguments(words, surroundings);
  } catch (error) {
    if (surroundings.signal.aborted) return 130;
    if (!(error instanceof UsageError)) throw error;
    surroundings.errors.write(`${error.message}\n`);
    return 2;
  }
}

async function followArguments(
  words: readonly string[],
  { output, signal, stateFolder, secrets }: Surroundings,
): Promise<number> {
  const given = readArguments(words, secrets);
  if (given.help) {
    output.write(help);
    return 0;
  }
  const { load, timeoutMs, only, json, long } = given;
  const stack = given.stack === undefined ? undefined : await openStack(given.stack);
  const found = await findTarget({ ...(stack?.url && { url: stack.url }), ...given }, stateFolder);
  const tokens = await findTokens(found.url, given, timeoutMs, signal);
  const target = { ...found, tokens };
  const leftOut = await leftOutOf(target, only);
  const checks = [...(stack?.checks ?? []), ...allChecks].filter(
    ({ name }) => only.includes(name) && !leftOut?.names.includes(name),
  );
  if (checks.length === 0) throw new UsageError(`${only.join(', ')} look at a stack on AWS: give --stack`);
  const report = json ? jsonReport(output) : tableReport(output, checks);
  const startedAt = new Date();
  const start = performance.now();
  report.begin(target, load);
  const results = await runChecks(checks, { target, load, timeoutMs, long, signal }, report);
  const ms = Math.round(performance.now() - start);
  const summary = summarize(target, startedAt, ms, results, signal.aborted, leftOut);
  report.end(summary);
  return signal.aborted ? 130 : summary.ok ? 0 : 1;
}

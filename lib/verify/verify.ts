import { type Arguments, help, readArguments, type Secrets, secretsIn } from './arguments.ts';
import type { Check } from './check.ts';
import { chooseTokens } from './clients/choose-tokens.ts';
import { Pacing } from './clients/pacing.ts';
import { noTokens, type Tokens } from './clients/tokens.ts';
import { CannotVerifyError } from './errors.ts';
import { isWithoutCalls } from './livekit/call.ts';
import { redactor } from './redaction.ts';
import { checkNames, liveKitChecks, serviceChecks, stackCheckNames, stackChecks } from './registry.ts';
import { json, type LeftOut, type Output, summarize, tableReport } from './report.ts';
import { runChecks } from './run.ts';
import { openStack } from './stack/deployed-stack.ts';
import { identify, type Service } from './target/identify.ts';
import { defaultStateFolder, findTarget, localTopologies } from './target/local-topology.ts';
import { lockTopology } from './target/lock.ts';
import { findObstacle } from './target/obstacle.ts';
import type { HubRoom } from './target/rooms-on-shards.ts';
import { roomsOnShards } from './target/rooms-on-shards.ts';
import type { Target } from './target/target.ts';
import { orAborted, type Patience } from './wait.ts';

export interface Surroundings {
  /** Gets the report; with `--json` one JSON object and nothing else. */
  readonly output: Output;
  /** Gets the reason if nothing could be verified; with `--json` also the progress. */
  readonly errors: Output;
  /** Aborted on Ctrl-C. */
  readonly signal: AbortSignal;
  /** Where topologies on this machine keep their state files. @default .local in the project's root */
  readonly stateFolder?: string;
  /** @default none */
  readonly secrets?: Secrets;
  /**
   * Looks closer at a server that is not this service.
   * @param output gets its report
   * @returns the report as JSON
   * @default nobody does
   */
  readonly examineOther?: (url: string, output: Output) => Promise<object>;
}

/** Runs the command and resolves with its exit code, which `help` in arguments.ts explains. */
export async function verify(words: readonly string[], surroundings: Surroundings): Promise<number> {
  const { output, errors, signal, secrets } = surroundings;
  const isJson = words.some((word) => /^--json\b/.test(word));
  const redact = redactor(secretsIn(words, secrets));
  try {
    return await followArguments(words, surroundings);
  } catch (error) {
    if (signal.aborted) {
      if (isJson) output.write(json({ ok: false, interrupted: true }));
      return 130;
    }
    const isExpected = error instanceof CannotVerifyError;
    const message = redact(
      isExpected ? error.message : `a fault of verify itself: ${(error as Error).stack}`,
    );
    errors.write(`${message}\n`);
    const url = isExpected ? error.otherServer : undefined;
    const diagnosis = url === undefined ? undefined : await handOver(url, surroundings);
    if (isJson) {
      const kind = isExpected ? error.kind : 'internal';
      output.write(json({ ok: false, error: { kind, message }, ...(diagnosis && { diagnosis }) }));
    }
    return 2;
  }
}

/** @returns what was found out, if anybody looked */
async function handOver(url: string, { examineOther, errors }: Surroundings): Promise<object | undefined> {
  if (!examineOther) return undefined;
  errors.write('\nThe doctor looks at any server:\n');
  return examineOther(url, errors);
}

async function followArguments(words: readonly string[], surroundings: Surroundings): Promise<number> {
  const { output, errors, signal, stateFolder: folder = defaultStateFolder, secrets } = surroundings;
  const given = readArguments(words, secrets);
  if (given.help) {
    output.write(given.json ? json({ ok: true, help }) : help);
    return 0;
  }
  const stack = given.stack === undefined ? undefined : await openStack(given.stack, stackChecks);
  const url = given.url ?? stack?.url;
  if (stack && url === undefined) {
    throw new CannotVerifyError('stack', `The stack ${given.stack} has no output Url: give --url.`);
  }
  const target = findTarget({ ...given, url }, await localTopologies(folder));
  const onWait = (pid: number) =>
    errors.write(`Another verify (process ${pid}) is at this topology: waiting for its end.\n`);
  const unlock = target.control && (await lockTopology({ folder, url: target.url, signal, onWait }));
  try {
    return await verifyTarget(target, stack?.checks ?? [], given, surroundings);
  } finally {
    unlock?.();
  }
}

async function verifyTarget(
  target: Target,
  stackChecks: readonly Check[],
  given: Arguments,
  { output, errors, signal, secrets }: Surroundings,
): Promise<number> {
  const { load, timeoutMs, long, json: isJson } = given;
  const patience = { timeoutMs, signal };
  const { service, tokens, leftOut } = await orAborted(prepare(target, given, patience), signal);
  const checks = [...stackChecks, ...serviceChecks, ...liveKitChecks].filter(
    ({ name }) => given.only.includes(name) && !leftOut?.names.includes(name),
  );
  const report = tableReport(isJson ? errors : output, checks);
  const pacing = new Pacing();
  const rooms: HubRoom[] = [];
  const startedAt = new Date();
  const start = performance.now();
  report.begin(target, tokens, load);
  const plan = {
    target,
    tokens,
    load,
    timeoutMs,
    long,
    isSingleInstance: service?.isSingleInstance ?? false,
    signal,
    pacing,
    onRoom: (room: HubRoom) => rooms.push(room),
    redact: redactor([...secretsIn([], secrets), given.token ?? '', target.serviceToken ?? '']),
    ...(service && { findObstacle: () => findObstacle(target, patience) }),
  };
  const results = await runChecks(checks, plan, report);
  const ms = Math.round(performance.now() - start);
  const { rateLimited } = pacing;
  const shards = await roomsOnShards(target, rooms);
  const run = { target, tokens, startedAt, ms, interrupted: signal.aborted, rateLimited, leftOut, shards };
  const summary = summarize(run, results);
  report.end(summary);
  if (isJson) output.write(json(summary));
  return signal.aborted ? 130 : summary.ok ? 0 : 1;
}

interface Prepared {
  /** Undefined if only a stack is checked. */
  readonly service?: Service;
  readonly tokens: Tokens;
  readonly leftOut?: LeftOut | undefined;
}

async function prepare(target: Target, given: Arguments, patience: Patience): Promise<Prepared> {
  if (given.only.every((name) => stackCheckNames.includes(name))) return { tokens: noTokens };
  const service = await identify(target.url, patience);
  const tokens = await chooseTokens(target.url, service, given, patience);
  return { service, tokens, leftOut: await leftOutOf(target, given.only) };
}

/**
 * Leaves out LiveKit's checks if there is no LiveKit. Checks that were named with `--only` stay, not proved and with
 * the reason.
 */
export async function leftOutOf(target: Target, asked: readonly string[]): Promise<LeftOut | undefined> {
  if (asked.length < checkNames.length) return undefined;
  const nodes = (await target.liveKit?.nodes().catch(() => [])) ?? [];
  if (nodes.length > 0 || !(await isWithoutCalls(target))) return undefined;
  return {
    names: liveKitChecks.map(({ name }) => name),
    reason: 'no media server: its checks are left out',
  };
}

import { type Output, paint } from '../../verify/report.ts';
import { orAborted } from '../../verify/wait.ts';
import { duration } from '../../verify/wording.ts';
import { linesOf, notChecked, totalsOf, writeRow } from '../finding.ts';
import { type Check, type CheckName, checkNames, type Fault, type NamedFinding } from './check.ts';
import { backplane, broadcastReaches } from './checks/backplane.ts';
import { eventsStream } from './checks/event-stream.ts';
import { IdleWatch } from './checks/idle-timeout.ts';
import { oneInstance } from './checks/one-instance.ts';
import { cookiesSuit, pagesMayConnect } from './checks/pages.ts';
import { redisAnswers } from './checks/redis.ts';
import { sessionsHold, sessionsHoldWithoutCookies } from './checks/sessions.ts';
import { http2, transportSecurity } from './checks/tls.ts';
import { sessionUpgrades, webSocketOpens } from './checks/web-socket.ts';
import { Probes } from './probes.ts';
import type { Endpoint, Subject } from './subject.ts';
import { type Question, survey } from './survey.ts';

export interface Diagnosis {
  /** Whether nothing that was checked keeps clients away. */
  readonly ok: boolean;
  readonly url: string;
  readonly findings: readonly NamedFinding[];
  readonly conclusion?: Conclusion;
}

/** All that is not a wait for a heartbeat is over by then, in milliseconds. */
const longestProbesMs = 60_000;

/** @returns the longest time that a run takes, in milliseconds */
export const longestRunMs = ({ longestSilenceMs }: Pick<Question, 'longestSilenceMs'>): number =>
  longestSilenceMs + longestProbesMs;

/**
 * Looks at any Socket.IO or SignalR server as its clients do, and reports.
 *
 * @param output gets a row for each finding as it comes
 * @param redact makes text safe to print
 */
export async function diagnose(
  asked: Question,
  output: Output,
  redact: (words: string) => string,
): Promise<Diagnosis> {
  const most = longestRunMs(asked);
  const question = { ...asked, signal: AbortSignal.any([asked.signal, AbortSignal.timeout(most)]) };
  output.write(
    `Looking at ${asked.url} as clients do: about as long as its heartbeat takes, ${duration(most)} at most\n\n`,
  );
  const findings: NamedFinding[] = [];
  const report = (finding: NamedFinding) => {
    const safe = redacted(finding, redact);
    findings.push(safe);
    const lines = 'cause' in safe ? faultLines(safe) : linesOf(safe);
    writeRow(output, { ...safe, lines }, checkNames);
  };
  const { findings: first, subject, isOurs } = await survey(question);
  for (const finding of first) report(finding);
  const all = subject ?? { ...question, isOurs, endpoints: [] };
  const probes = new Probes(all);
  for (const check of checksOf(all, subject !== undefined)) report(await runCheck(check, all, probes));
  const conclusion = conclude(findings, isOurs);
  const diagnosis = {
    ok: !findings.some(({ status }) => status === 'failed'),
    url: asked.url,
    findings,
    ...(conclusion && { conclusion }),
  };
  output.write(`\n${lastWords(output, diagnosis)}\n`);
  return diagnosis;
}

function checksOf(subject: Subject, isServed: boolean): readonly Check[] {
  // What answers nothing may yet have a Redis that says why.
  const checks = isServed
    ? [
        transportSecurity,
        http2,
        redisAnswers,
        backplane,
        oneInstance,
        ...subject.endpoints.flatMap((endpoint) => checksAt(subject, endpoint)),
        broadcastReaches,
      ]
    : [redisAnswers];
  return checks.filter((check) => check.applies?.(subject) ?? true);
}

function checksAt(subject: Subject, endpoint: Endpoint): readonly Check[] {
  // It takes the longest, so it begins now and comes last.
  const idle = new IdleWatch(subject, endpoint);
  const transport = endpoint.protocol === 'socketio' ? sessionUpgrades : eventsStream;
  return [
    sessionsHold(endpoint),
    sessionsHoldWithoutCookies(endpoint),
    webSocketOpens(endpoint),
    transport(endpoint),
    pagesMayConnect(endpoint),
    cookiesSuit(endpoint),
    idle.check,
  ];
}

const timeIsUp = notChecked('the time of the run was up');

async function runCheck(check: Check, subject: Subject, probes: Probes): Promise<NamedFinding> {
  const { name } = check;
  if (subject.signal.aborted) return { name, ...timeIsUp };
  try {
    return { name, ...(await orAborted(check.run(subject, probes), subject.signal)) };
  } catch (error) {
    if (subject.signal.aborted) return { name, ...timeIsUp };
    return { name, ...notChecked((error as Error).message) };
  }
}

function redacted(finding: NamedFinding, redact: (words: string) => string): NamedFinding {
  return JSON.parse(JSON.stringify(finding), (_key, value) =>
    typeof value === 'string' ? redact(value) : value,
  );
}

function faultLines({ found, cause, fix }: Fault): readonly string[] {
  return [`found:  ${found}`, `likely: ${cause}`, `fix:    ${fix}`];
}

function lastWords(output: Output, { findings, conclusion }: Diagnosis): string {
  const numbers = totalsOf(findings);
  if (!conclusion) return `${numbers}\nNothing that was checked is in the way of clients.`;
  const begin =
    conclusion.status === 'failed' ? 'Most likely' : 'Nothing is in the way of all clients. First of all';
  return `${numbers}\n${begin} (${conclusion.name}): ${conclusion.cause}.\n${paint(output, 'bold', 'Fix')}: ${conclusion.fix}.`;
}

/** The one cause that is to be mended first. */
interface Conclusion {
  /** The check that saw it. */
  readonly name: CheckName;
  readonly cause: string;
  readonly fix: string;
  /** Whether clients fail, or may. */
  readonly status: Fault['status'];
}

/** This project's instances relay requests to each other over what Redis tells them: without it, sessions break. */
const ownOrder: readonly CheckName[] = ['address', 'redis', 'server', 'backplane'];

function conclude(findings: readonly NamedFinding[], isOurs: boolean): Conclusion | undefined {
  const order = isOurs ? [...ownOrder, ...checkNames] : checkNames;
  const rank = ({ name }: NamedFinding) => order.indexOf(name);
  const faults = findings
    .filter((finding) => 'cause' in finding)
    .sort((one, other) => rank(one) - rank(other));
  const first = faults.find(({ status }) => status === 'failed') ?? faults[0];
  if (!first) return undefined;
  const { name, cause, fix, status } = first;
  return { name, cause, fix, status };
}

import type { AgentSettings } from './environment.ts';

const hidden = '[redacted]';

/**
 * The framework marks personal data with this prefix. The participant's identity and the room's name are logged
 * nevertheless.
 */
const personal = /^lk\.pii\.(?!participant_identity$|room_name$)/;

/** The levels for finding faults in the conversation itself. */
const wordyLevels = ['trace', 'debug'];

/**
 * Keeps keys out of the log, and what is said in a call at every level but `debug` and `trace`: the framework logs
 * both at any level. Each process calls this before it logs.
 */
export function keepLogDiscreet(settings: AgentSettings): void {
  const write = process.stdout.write.bind(process.stdout) as (...call: unknown[]) => boolean;
  const discreet = discreetLine(settings);
  process.stdout.write = (line: unknown, ...rest: unknown[]) =>
    write(typeof line === 'string' ? discreet(line) : line, ...rest);
}

export function discreetLine({ apiSecret, voice, logLevel }: AgentSettings): (line: string) => string {
  const secrets = voice ? [apiSecret, voice.apiKey] : [apiSecret];
  const isWordy = wordyLevels.includes(logLevel);
  return (line) => {
    const text = secrets.reduce((shown, secret) => shown.replaceAll(secret, hidden), line);
    return isWordy ? text : withoutWords(text);
  };
}

function withoutWords(line: string): string {
  if (!line.includes('"lk.pii.')) return line;
  try {
    return `${JSON.stringify(JSON.parse(line, (name, value) => (personal.test(name) ? undefined : value)))}\n`;
  } catch {
    // It is not JSON, so what is personal in it can't be found.
    return `${hidden}\n`;
  }
}

import type { AgentSettings } from './environment.ts';

const hidden = '[redacted]';

/** The framework's mark of what is somebody's own. Who it is, and where, is told all the same. */
const personal = /^lk\.pii\.(?!participant_identity$|room_name$)/;

/** Who looks for a fault in the conversation itself asks for these. */
const wordyLevels = ['trace', 'debug'];

/**
 * No key ever stands in the log, and what is said in a call does only at `debug`: the framework logs both at any level.
 * Each process calls it before it logs.
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
    const text = secrets.reduce((told, secret) => told.replaceAll(secret, hidden), line);
    return isWordy ? text : withoutWords(text);
  };
}

function withoutWords(line: string): string {
  if (!line.includes('"lk.pii.')) return line;
  try {
    return `${JSON.stringify(JSON.parse(line, (name, value) => (personal.test(name) ? undefined : value)))}\n`;
  } catch {
    // Not a line of JSON: what it holds can't be told.
    return `${hidden}\n`;
  }
}

import type { ProcessKind, StreamName } from './managed-process.ts';

const levelNames: Record<number, string> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};
const warnLevel = 40;
/** LiveKit logs whole session descriptions, of 30 KB, as one value of a warning. */
const longestValue = 200;
/** Of a line that is no record: where Node names a line of bundled code, that one has 100 KB. */
const longestLine = 1_000;
/** What pino and LiveKit add to each line, and what the prefix shows already. */
const hiddenKeys = new Set([
  'level',
  'time',
  'ts',
  'logger',
  'pid',
  'hostname',
  'msg',
  'v',
  'name',
  'instance',
  'instanceId',
]);

/**
 * Renders a line that a process wrote, or returns undefined if it is not shown. Shown are JSON records from the level
 * of warnings on, with long values cut, and what an instance writes to its standard error; everything if `verbose`.
 */
export function renderLine(
  source: { readonly id: string; readonly kind: ProcessKind },
  text: string,
  stream: StreamName,
  verbose: boolean,
): string | undefined {
  const record = parseRecord(text);
  const shown = record ? record.level >= warnLevel : stream === 'stderr' && source.kind === 'instance';
  if (!verbose && (!shown || text.trim() === '')) return undefined;
  const longest = (characters: number) => (verbose ? Number.POSITIVE_INFINITY : characters);
  const shownText = record ? renderRecord(record, longest(longestValue)) : cut(text, longest(longestLine));
  return `${source.id} | ${shownText}`;
}

type LogRecord = Record<string, unknown> & { level: number };

function parseRecord(text: string): LogRecord | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    const value = JSON.parse(text);
    const level = typeof value.level === 'string' ? levelNumber(value.level) : value.level;
    return typeof level === 'number' ? { ...value, level } : undefined;
  } catch {
    return undefined;
  }
}

function levelNumber(name: string): number | undefined {
  const entry = Object.entries(levelNames).find(([, known]) => known === name.toLowerCase());
  return entry && Number(entry[0]);
}

function renderRecord(record: LogRecord, longest: number): string {
  const level = (levelNames[record.level] ?? String(record.level)).padEnd(5);
  const rest = Object.entries(record).filter(([key]) => !hiddenKeys.has(key));
  const details = rest.map(([key, value]) => `${key}=${cut(renderValue(value), longest)}`);
  return [level, record.msg ?? '', ...details].join(' ').trimEnd();
}

function renderValue(value: unknown): string {
  if (typeof value === 'string') return /[\s"]/.test(value) ? JSON.stringify(value) : value;
  if (value && typeof value === 'object' && 'message' in value) return JSON.stringify(value.message);
  return JSON.stringify(value);
}

function cut(text: string, longest: number): string {
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}

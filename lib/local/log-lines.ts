import type { PartKind, StreamName } from './part.ts';

const levelNames: Record<number, string> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};
const warnLevel = 40;
/** LiveKit tells whole sessions, of 30 KB, in one value of a warning. */
const longestValue = 200;
/** What pino and LiveKit add to each line, and what the prefix says already. */
const surroundings = new Set([
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
 * A part's line as it is shown, or undefined if it is not: of pino's JSON warnings and worse, of other text what
 * an instance writes to its standard error, long values cut; everything when `verbose`.
 */
export function renderLine(
  part: { readonly id: string; readonly kind: PartKind },
  text: string,
  stream: StreamName,
  verbose: boolean,
): string | undefined {
  const record = parseRecord(text);
  const shown = record ? record.level >= warnLevel : stream === 'stderr' && part.kind === 'instance';
  if (!verbose && (!shown || text.trim() === '')) return undefined;
  return `${part.id} | ${record ? renderRecord(record, verbose ? Number.POSITIVE_INFINITY : longestValue) : text}`;
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
  const rest = Object.entries(record).filter(([key]) => !surroundings.has(key));
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

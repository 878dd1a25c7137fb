import { BodyError } from './body.ts';
import { deepestBody } from './json-scan.ts';

/** Values as JSON carries them: what was binary in them stands beside them, with a placeholder in its place. */
export interface Detached {
  readonly values: readonly unknown[];
  readonly attachments: readonly Buffer[];
}

/** What stands in the place of binary, as Socket.IO's protocol has it. */
interface Placeholder {
  readonly _placeholder: true;
  readonly num: number;
}

/** @throws BodyError for values that are nested deeper than a body may be */
export function detach(values: readonly unknown[]): Detached {
  const attachments: Buffer[] = [];
  const take = (bytes: Buffer): Placeholder => ({ _placeholder: true, num: attachments.push(bytes) - 1 });
  return { values: mapped(values, 0, (value) => mapBytes(value, take)) as unknown[], attachments };
}

/** Puts attachments, or what stands for them, where their placeholders are; one that is not there becomes null. */
export function attach(values: readonly unknown[], attachments: readonly unknown[]): unknown[] {
  const put = (value: unknown) =>
    isPlaceholder(value) ? { mapped: attachments[value.num] ?? null } : undefined;
  return mapped(values, 0, put) as unknown[];
}

/** The same values with base64 in the place of binary, for encodings that have none. */
export function withBase64(values: readonly unknown[]): readonly unknown[] {
  if (!hasBinary(values)) return values;
  const { values: detached, attachments } = detach(values);
  return attach(
    detached,
    attachments.map((bytes) => bytes.toString('base64')),
  );
}

/** Whether JSON alone can't carry it. */
export function hasBinary(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (bytesOf(value)) return true;
  if (Array.isArray(value)) return value.some(hasBinary);
  return isPlain(value) && Object.values(value).some(hasBinary);
}

/** @throws BodyError for values without an end, or that JSON has none of. @returns bytes as JSON, and of attachments */
export function sizeOf({ values, attachments }: Detached): number {
  return attachments.reduce((sum, { length }) => sum + length, Buffer.byteLength(JSON.stringify(values)));
}

function mapBytes(value: unknown, take: (bytes: Buffer) => unknown): { mapped: unknown } | undefined {
  const bytes = bytesOf(value);
  return bytes && { mapped: take(bytes) };
}

/** A copy in which `change` says what to put in the place of a value. */
function mapped(
  value: unknown,
  depth: number,
  change: (value: unknown) => { mapped: unknown } | undefined,
): unknown {
  if (depth > deepestBody)
    throw new BodyError(`must have at most ${deepestBody} levels of arrays and objects`);
  if (typeof value !== 'object' || value === null) return value;
  const changed = change(value);
  if (changed) return changed.mapped;
  if (Array.isArray(value)) return value.map((each) => mapped(each, depth + 1, change));
  if (!isPlain(value)) return value;
  const copy: Record<string, unknown> = {};
  for (const [key, each] of Object.entries(value)) {
    // An assignment would set the prototype, and lose what its sender said.
    Object.defineProperty(copy, key, {
      value: mapped(each, depth + 1, change),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return copy;
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function isPlaceholder(value: unknown): value is Placeholder {
  const { _placeholder, num } = value as Partial<Placeholder>;
  return _placeholder === true && Number.isSafeInteger(num);
}

function bytesOf(value: unknown): Buffer | undefined {
  if (value instanceof ArrayBuffer) return Buffer.from(value);
  if (!ArrayBuffer.isView(value)) return undefined;
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

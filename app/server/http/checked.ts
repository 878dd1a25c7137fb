import type { z } from 'zod';
import { HttpError } from './errors.ts';

/** @throws HttpError 400 that lists every fault */
export function checked<S extends z.ZodType>(schema: S, value: unknown): z.infer<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(
    ({ path, message }) => `${path.join('.') || 'the request'}: ${message}`,
  );
  throw new HttpError(400, 'bad_request', faults.join('; '));
}

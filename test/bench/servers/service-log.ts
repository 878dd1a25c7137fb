import type { BackplaneOptions } from '../../../app/server/redis/backplane.ts';

const ignore = () => undefined;
const complain = (...parts: unknown[]) => console.error(...parts);

/** The service's log, faults only. */
export const serviceLog = {
  info: ignore,
  debug: ignore,
  warn: complain,
  error: complain,
} as unknown as BackplaneOptions['log'];

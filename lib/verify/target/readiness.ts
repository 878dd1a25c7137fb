import { paths } from '../../../app/names.ts';
import { describeError, type HttpResponse, sendRequest } from './request.ts';
import type { Target } from './target.ts';

const all = ['ok', 'single-instance', 'starting', 'degraded', 'draining'] as const;

/** The status of the service at `/health/ready`. `degraded`: it has lost its Redis, and waits for it. */
export type Readiness = (typeof all)[number];

/** Undefined if the response is not the service's. */
export function readinessIn({ body }: Pick<HttpResponse, 'body'>): Readiness | undefined {
  try {
    const { status } = JSON.parse(body) as { status?: unknown };
    return all.find((readiness) => readiness === status);
  } catch {
    return undefined;
  }
}

/** A response, and who sent it. */
export interface ReadinessReply {
  /** The instance's name, or `the proxy`. */
  readonly from: string;
  readonly readiness: Readiness | undefined;
  /** `ok`, `HTTP 502`, `no response in time` */
  readonly words: string;
}

/** So many requests likely reach each instance behind a proxy. */
const timesThroughProxy = 8;

/** Asks each instance directly, or the proxy several times. */
export async function askReadiness(
  { url, control }: Pick<Target, 'url' | 'control'>,
  timeoutMs: number,
): Promise<readonly ReadinessReply[]> {
  const instances = await control?.instances();
  const addresses =
    instances?.map((instance) => ({ from: instance.id, url: instance.url })) ??
    Array.from({ length: timesThroughProxy }, () => ({ from: 'the proxy', url }));
  return Promise.all(
    addresses.map(async (address) => ({ from: address.from, ...(await askOne(address.url, timeoutMs)) })),
  );
}

async function askOne(
  url: string | undefined,
  timeoutMs: number,
): Promise<Pick<ReadinessReply, 'readiness' | 'words'>> {
  if (url === undefined) return { readiness: undefined, words: 'down' };
  try {
    const response = await sendRequest(paths.ready, url, { timeoutMs });
    const readiness = readinessIn(response);
    return { readiness, words: readiness ?? `HTTP ${response.status}` };
  } catch (error) {
    return { readiness: undefined, words: describeError(error) };
  }
}

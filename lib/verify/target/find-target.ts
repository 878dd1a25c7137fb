import { UsageError } from '../errors.ts';
import type { LocalTopology } from './local-topology.ts';
import type { Target } from './target.ts';

export interface TargetOptions {
  /** @default the one topology that runs on this machine */
  readonly url?: string | undefined;
  readonly instances?: number | undefined;
  readonly serviceToken?: string | undefined;
}

/**
 * Finds the target: the URL that was given, with control of it if it is a topology on this machine, else the one
 * topology that runs here.
 *
 * @throws UsageError if none runs, or more than one
 */
export function findTarget(
  { url, instances, serviceToken: given }: TargetOptions,
  topologies: readonly LocalTopology[],
): Target {
  const local =
    url === undefined ? only(topologies) : topologies.find((topology) => isSame(topology.url, url));
  const serviceToken = given ?? local?.serviceToken;
  return {
    url: url ?? (local as LocalTopology).url,
    ...(instances === undefined ? {} : { instances }),
    ...(serviceToken === undefined ? {} : { serviceToken }),
    ...(local
      ? { control: local.control, liveKit: local.liveKit }
      : {
          withoutControl: 'it changes the topology, and only one that `npm start` runs here may be changed',
        }),
  };
}

function only(topologies: readonly LocalTopology[]): LocalTopology {
  const [first, ...others] = topologies;
  if (!first) {
    throw new UsageError(
      'No topology answers on this machine. Start one with `npm start` in another terminal (`fg` there if it is suspended), or give --url.',
    );
  }
  if (others.length === 0) return first;
  const lines = topologies.map(({ url, startedAt }) => `  --url ${url}  (since ${startedAt})`);
  throw new UsageError(
    `${topologies.length} topologies run on this machine. Give one of:\n${lines.join('\n')}`,
  );
}

/** `localhost` is 127.0.0.1 here. */
function isSame(one: string, other: string): boolean {
  const plain = (url: string) => new URL(url).origin.replace(/\/\/(localhost|\[::1\])/, '//127.0.0.1');
  return plain(one) === plain(other);
}

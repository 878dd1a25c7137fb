import { paths } from '../../app/names.ts';
import { liveTopologies, type TopologyState } from '../local/state.ts';
import { type Arguments, UsageError } from './arguments.ts';
import { ask } from './ask.ts';
import { wordsOf } from './error-words.ts';
import { localLiveKit } from './livekit/control.ts';
import { localControl } from './local-control.ts';
import type { Target } from './target.ts';

/**
 * The URL that was given, with control of it if a topology on this machine answers there; else the one topology
 * that runs here.
 *
 * @param folder where topologies on this machine keep their state files
 * @throws UsageError when there is none, or more than one, or nothing answers
 */
export async function findTarget(
  { url, instances, serviceToken: given }: Arguments,
  folder?: string,
): Promise<Target> {
  const topologies = await liveTopologies(folder);
  const local = url === undefined ? only(topologies) : topologies.find((state) => isSame(state.url, url));
  const serviceToken = given ?? local?.serviceToken;
  const target: Target = {
    url: url ?? (local as TopologyState).url,
    ...(instances === undefined ? {} : { instances }),
    ...(serviceToken === undefined ? {} : { serviceToken }),
    ...(local
      ? { control: localControl(local), liveKit: localLiveKit(local) }
      : {
          withoutControl: 'it changes the topology, and only one that `npm start` runs here may be changed',
        }),
  };
  await reach(target.url);
  return target;
}

function only(topologies: readonly TopologyState[]): TopologyState {
  const [first, ...others] = topologies;
  if (!first) {
    throw new UsageError(
      'No topology runs on this machine. Start one with `npm start` in another terminal, or give --url.',
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

async function reach(url: string): Promise<void> {
  try {
    await ask(paths.live, url);
  } catch (error) {
    throw new UsageError(`${url} can't be reached: ${wordsOf(error)}. ${adviceFor(error as Failure)}`);
  }
}

type Failure = NodeJS.ErrnoException;

function adviceFor({ code = '' }: Failure): string {
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'Check the spelling of the host name.';
  if (/CERT|SIGNED|ALTNAME/.test(code)) {
    return 'For a certificate of your own, name its authority in NODE_EXTRA_CA_CERTS.';
  }
  if (/SSL|EPROTO|HPE_|ECONNRESET/.test(code)) return 'Check whether it speaks http:// or https://.';
  if (/TIMEDOUT|ABORT/.test(code)) return 'Check that no firewall or security group is in the way.';
  return 'Check the port, and that the service runs; `npm start` starts one on this machine.';
}

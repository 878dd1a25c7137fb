import { list } from '../../../verify/wording.ts';
import { passed } from '../../finding.ts';
import { type Check, type Fault, failed } from '../check.ts';
import { Probes } from '../probes.ts';
import type { Endpoint, Subject } from '../subject.ts';
import { eventsStream } from './event-stream.ts';
import { sessionsHold } from './sessions.ts';
import { webSocketOpens } from './web-socket.ts';

/** What fails with one instance, past the proxy, is neither the proxy's fault nor that of running several. */
export const oneInstance: Check = {
  name: 'one-instance',
  applies: ({ instanceUrl }) => instanceUrl !== undefined,
  run: async ({ instanceUrl = '', ...rest }) => {
    const subject: Subject = { ...rest, url: instanceUrl };
    const probes = new Probes(subject);
    const faults: Fault[] = [];
    const looked: string[] = [];
    for (const check of subject.endpoints.flatMap(checksAt)) {
      const finding = await check.run(subject, probes);
      looked.push(check.name);
      if (finding.status === 'failed') faults.push(finding);
    }
    const [first] = faults;
    if (!first)
      return passed(
        `past the proxy, at ${instanceUrl}, ${list(looked)} work: what fails through it lies in the proxy, or in running several instances`,
      );
    return failed({
      found: `past the proxy, at ${instanceUrl}: ${list(faults.map(({ found }) => found))}`,
      cause: `one instance fails by itself, whatever the proxy does: ${first.cause}`,
      fix: `first let one instance work without a proxy, by its log and its settings; ${first.fix}`,
    });
  },
};

function checksAt(endpoint: Endpoint): readonly Check[] {
  const both = [sessionsHold(endpoint), webSocketOpens(endpoint)];
  return endpoint.protocol === 'signalr' ? [...both, eventsStream(endpoint)] : both;
}

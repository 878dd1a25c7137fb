import { paths } from '../../../../app/names.ts';
import { requestUpgrade, sendWithinLimits } from '../../target/request.ts';
import { type Findings, failed, joined, notProved, proved } from './findings.ts';

/** Nobody's origin: the domain is reserved and never exists. */
const foreign = 'https://verify-foreign.invalid';

interface Seen {
  readonly status: number;
  /** `access-control-allow-origin` of the response. */
  readonly allows?: string | undefined;
}

/** Checks that a page of another site can't open a connection with its visitor's cookies and network. */
export async function probeOrigins(url: string): Promise<Findings> {
  const own = new URL(url).origin;
  const [polling, upgrade, ownPolling, ownUpgrade] = await Promise.all([
    pollFrom(url, foreign),
    upgradeFrom(url, foreign),
    pollFrom(url, own),
    upgradeFrom(url, own),
  ]);
  if (polling.allows === '*') {
    return notProved('that other origins are rejected: every one is allowed (CORS_ORIGINS=*)');
  }
  const ways = [
    { way: 'polling', seen: polling, good: 200 },
    { way: 'WebSocket', seen: upgrade, good: 101 },
  ];
  const open = ways.filter(({ seen, good }) => seen.status === good).map(({ way }) => way);
  const shut = ways.filter(({ seen }) => isRejection(seen)).map(({ way, seen }) => `${way} ${seen.status}`);
  const silent = ways.filter(({ seen, good }) => seen.status !== good && !isRejection(seen));
  const findings = [
    ...(open.length > 0
      ? [failed({ found: `a page of ${foreign} may connect over ${open.join(' and ')}`, ...unchecked })]
      : []),
    ...(shut.length > 0 ? [proved(`a foreign origin is rejected (${shut.join(', ')})`)] : []),
    ...silent.map(({ way, seen }) =>
      notProved(`a foreign origin over ${way}: ${seen.status ? `HTTP ${seen.status}` : 'no response'}`),
    ),
  ];
  const ownShut = isRejection(ownPolling) && ownUpgrade.status !== 101;
  if (ownShut && shut.length > 0)
    findings.push(
      failed({ found: `a page of ${own} itself is rejected (${ownPolling.status})`, ...ownRejected }),
    );
  return joined(findings);
}

function isRejection({ status }: Seen): boolean {
  return status === 400 || status === 401 || status === 403;
}

async function pollFrom(url: string, origin: string): Promise<Seen> {
  try {
    const path = `${paths.socketIo}?EIO=4&transport=polling`;
    const { status, headers } = await sendWithinLimits(path, url, { headers: { origin } });
    return { status, allows: headers['access-control-allow-origin'] };
  } catch {
    return { status: 0 };
  }
}

async function upgradeFrom(url: string, origin: string): Promise<Seen> {
  return requestUpgrade(url, { origin }).catch(() => ({ status: 0 }));
}

const unchecked = {
  cause:
    'nobody looks at Origin: CORS covers no WebSocket, and polling is opened before CORS keeps its response',
  fix: 'reject foreign origins in `allowRequest` of the Socket.IO server, and name the good ones in CORS_ORIGINS',
};

const ownRejected = {
  cause: 'a hop before the service changes Host, so that it takes its own pages for foreign ones',
  fix: 'name this origin in CORS_ORIGINS, or pass Host (or X-Forwarded-Host, with TRUSTED_PROXY_HOPS) on',
};

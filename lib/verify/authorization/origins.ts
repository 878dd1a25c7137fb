import { paths } from '../../../app/names.ts';
import { ask } from '../ask.ts';
import { askUpgrade } from '../upgrade.ts';
import { failed, joined, notProved, type Part, proved } from './part.ts';

/** Nobody's: the domain is reserved for what is never there. */
const foreign = 'https://verify-foreign.invalid';

interface Seen {
  readonly status: number;
  /** `access-control-allow-origin` of the answer. */
  readonly allows?: string | undefined;
}

/** A page of another site opens no connection with its visitor's cookies and network. */
export async function tryOrigins(url: string): Promise<Part> {
  const own = new URL(url).origin;
  const [polling, upgrade, ownPolling, ownUpgrade] = await Promise.all([
    pollFrom(url, foreign),
    upgradeFrom(url, foreign),
    pollFrom(url, own),
    upgradeFrom(url, own),
  ]);
  if (polling.allows === '*') {
    return notProved('that other origins are refused: every one is allowed (CORS_ORIGINS=*)');
  }
  const ways = [
    { way: 'polling', seen: polling, good: 200 },
    { way: 'WebSocket', seen: upgrade, good: 101 },
  ];
  const open = ways.filter(({ seen, good }) => seen.status === good).map(({ way }) => way);
  const shut = ways.filter(({ seen }) => isRefusal(seen)).map(({ way, seen }) => `${way} ${seen.status}`);
  const silent = ways.filter(({ seen, good }) => seen.status !== good && !isRefusal(seen));
  const parts = [
    ...(open.length > 0
      ? [failed({ found: `a page of ${foreign} may connect over ${open.join(' and ')}`, ...unchecked })]
      : []),
    ...(shut.length > 0 ? [proved(`a foreign origin is refused (${shut.join(', ')})`)] : []),
    ...silent.map(({ way, seen }) =>
      notProved(`a foreign origin over ${way}: HTTP ${seen.status || 'not answered'}`),
    ),
  ];
  const ownShut = isRefusal(ownPolling) && ownUpgrade.status !== 101;
  if (ownShut && shut.length > 0)
    parts.push(failed({ found: `a page of ${own} itself is refused (${ownPolling.status})`, ...ownRefused }));
  return joined(parts);
}

function isRefusal({ status }: Seen): boolean {
  return status === 400 || status === 401 || status === 403;
}

async function pollFrom(url: string, origin: string): Promise<Seen> {
  try {
    const path = `${paths.socketIo}?EIO=4&transport=polling`;
    const { status, headers } = await ask(path, url, { headers: { origin } });
    return { status, allows: headers['access-control-allow-origin'] };
  } catch {
    return { status: 0 };
  }
}

async function upgradeFrom(url: string, origin: string): Promise<Seen> {
  return askUpgrade(url, { origin }).catch(() => ({ status: 0 }));
}

const unchecked = {
  cause:
    'nobody looks at Origin: CORS covers no WebSocket, and polling is opened before CORS keeps its answer',
  fix: 'refuse foreign origins in `allowRequest` of the Socket.IO server, and name the good ones in CORS_ORIGINS',
};

const ownRefused = {
  cause: 'a hop before the service changes Host, so that it takes its own pages for foreign ones',
  fix: 'name this origin in CORS_ORIGINS, or pass Host (or X-Forwarded-Host, with TRUSTED_PROXY_HOPS) on',
};

import { randomBytes } from 'node:crypto';
import { paths } from '../../../../app/names.ts';
import type { Context } from '../../check.ts';
import { type Claims, claimsOf, mint, tampered, unsigned } from '../../clients/jwt.ts';
import type { Tokens } from '../../clients/tokens.ts';
import { type HubProbe, probeHubs } from '../../target/hub-probe.ts';
import { requestUpgrade, sendWithinLimits } from '../../target/request.ts';
import { count, list } from '../../wording.ts';
import { type Findings, failed, joined, notProved, proved } from './findings.ts';

const hubs = ['chat', 'llm', 'bots', 'backtests'] as const;
/** This hub is served only where guests are allowed. */
const sometimes = ['fleet'] as const;

/**
 * The number of probes through a proxy if instances can't be reached directly. So many likely reach each of several
 * instances.
 */
const iterationsThroughProxy = 3;

/** Tokens that no hub may accept. */
interface BadToken {
  /** `no token`, `a token that has expired` */
  readonly what: string;
  readonly auth: { readonly token?: string };
}

type Probe = HubProbe & Pick<BadToken, 'what'>;

/**
 * Checks that every hub rejects clients without a valid token. A namespace's middleware runs only for that namespace,
 * so each is tried.
 */
export async function probeBadTokens(context: Context): Promise<Findings> {
  const { tokens } = context;
  if (tokens.kind === 'none') return probeWithout(context);
  const bad = await badTokens(tokens);
  const probes = await probeAll(context, bad);
  const accepted = probes.filter(({ outcome }) => outcome === 'accepted');
  if (accepted.length > 0) return failed({ found: describeAccepted(accepted), ...open });
  const rejected = probes.filter(({ outcome }) => outcome === 'rejected');
  const reached = [...new Set(rejected.map(({ hub }) => hub))];
  if (reached.length === 0)
    return notProved(`that bad tokens are rejected: ${probes[0]?.words ?? 'nothing tried'}`);
  const absent = hubs.filter((hub) => !reached.includes(hub));
  return joined([
    proved(
      `${list(bad.map(({ what }) => what))}: ${count(rejected.length, 'handshake')} rejected in ${list(reached)}`,
    ),
    ...absent.map((hub) => notProved(`tokens in the hub ${hub}: this service has none that answers`)),
    ...(tokens.mint
      ? []
      : [notProved('that expired tokens are rejected: there is no key to sign one (AUTH_SECRET)')]),
  ]);
}

/** If the first hub needs no token, the others need none either. */
async function probeWithout(context: Context): Promise<Findings> {
  const probes = await probeAll(context, [noToken]);
  const rejected = probes.filter(({ outcome }) => outcome === 'rejected');
  const accepted = probes.filter(({ outcome }) => outcome === 'accepted');
  if (rejected.length > 0 && accepted.length > 0) {
    const others = [...new Set(rejected.map(({ hub }) => hub))];
    return failed({ found: `${describeAccepted(accepted)}, which ${list(others)} rejected`, ...open });
  }
  return notProved(
    'who may connect: nobody is authenticated (AUTH=none), so everyone who reaches the service',
  );
}

const noToken: BadToken = { what: 'no token', auth: {} };

/** All bad tokens that can be made with what is available. */
async function badTokens(tokens: Tokens): Promise<readonly BadToken[]> {
  const good = await tokens.of(0);
  const claims: Claims = {
    sub: 'verify-nobody',
    ...(good === undefined ? {} : claimsOf(good)),
    exp: Math.floor(Date.now() / 1_000) + 300,
  };
  const expired = tokens.mint?.({ sub: 'verify-late', exp: Math.floor(Date.now() / 1_000) - 60 });
  return [
    noToken,
    { what: 'garbage', auth: { token: 'verify.garbage.token' } },
    { what: 'another key', auth: { token: mint(claims, randomBytes(32).toString('hex')) } },
    { what: 'no signature', auth: { token: unsigned(claims) } },
    ...(good === undefined ? [] : [{ what: 'a changed subject', auth: { token: tampered(good) } }]),
    ...(expired === undefined ? [] : [{ what: 'an expired token', auth: { token: expired } }]),
  ];
}

/** Tries each of the tokens at each address, on a connection of its own. */
async function probeAll(context: Context, tokens: readonly BadToken[]): Promise<readonly Probe[]> {
  const addresses = await addressesOf(context);
  const probes = addresses.flatMap((url) =>
    tokens.map(async ({ what, auth }) => {
      const found = await probeHubs(url, [...hubs, ...sometimes], auth, context);
      return found.map((probe) => ({ ...probe, what }));
    }),
  );
  return (await Promise.all(probes)).flat();
}

/** Each instance directly, or the proxy several times. */
async function addressesOf({ target, unreached }: Context): Promise<readonly string[]> {
  const instances = (await target.control?.instances()) ?? [];
  const alone = instances.flatMap(({ id, url }) => (unreached.has(id) ? [] : (url ?? [])));
  return alone.length > 0 ? alone : Array.from({ length: iterationsThroughProxy }, () => target.url);
}

function describeAccepted(accepted: readonly Probe[]): string {
  const words = accepted.map(
    ({ what, hub, instance }) => `${hub}${instance ? ` of ${instance}` : ''} accepts ${what}`,
  );
  const different = [...new Set(words)];
  const more = different.length > 4 ? [`${different.length - 4} more`] : [];
  return [...different.slice(0, 4), ...more].join(', ');
}

const open = {
  cause:
    'a hub is opened without the middleware that authenticates (it is run for its own namespace alone), or an instance runs with AUTH=none',
  fix: "open every hub by `openHub`, or give its namespace `authenticateHandshakes`; compare the instances' AUTH and AUTH_SECRET",
};

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

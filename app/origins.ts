/**
 * Origins of pages, as people list them and as browsers send them. Pure functions alone, so that `lib/` can import
 * them for its knob.
 */

/** One or more entries of a list can't be used; each fault names its entry and says what to write. */
export class OriginsError extends Error {
  override readonly name = 'OriginsError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('; '));
    this.faults = faults;
  }
}

/**
 * Reads a list of origins: separated by commas, or a JSON list of texts. Blanks, capitals, a final slash and a default
 * port make no difference.
 *
 * | entry | allows |
 * |---|---|
 * | `https://app.example.com`, `http://localhost:5173` | that scheme, host and port |
 * | `https://*.example.com` | every host with one label in place of `*`: not `example.com`, not `a.b.example.com` |
 * | `capacitor://localhost`, `chrome-extension://abcdef` | that app or extension |
 * | `null` | sandboxed frames and pages of files, anyone's |
 * | `*` | every page |
 *
 * @returns what `includesOrigin` takes, each once
 * @throws OriginsError
 */
export function parseOrigins(list: string | readonly string[]): readonly string[] {
  const faults: string[] = [];
  const origins = new Set<string>();
  for (const entry of entriesOf(list)) {
    const read = readEntry(entry);
    if ('origin' in read) origins.add(read.origin);
    else faults.push(`${JSON.stringify(entry)} ${read.fault}`);
  }
  if (faults.length > 0) throw new OriginsError(faults);
  return [...origins];
}

/**
 * May a page of this origin come in?
 * @param origin as a browser sends it
 * @param origins of `parseOrigins`
 */
export function includesOrigin(origins: readonly string[], origin: string): boolean {
  if (origins.includes('*')) return true;
  const own = originOf(origin);
  if (own === undefined) return false;
  return origins.includes(own) || origins.includes(own.replace(firstLabel, '$1*.'));
}

const firstLabel = /^(https?:\/\/)[^.]+\./;

/** @returns an `Origin` header in the one shape that origins are compared in; undefined where it is none */
function originOf(header: string): string | undefined {
  if (header === 'null') return header;
  const parts = partsOf(header);
  // A browser's has no more than these: whatever has is not a browser's.
  return parts && parts.rest === '' && !parts.host.includes('*') ? canonical(parts) : undefined;
}

function entriesOf(list: string | readonly string[]): readonly string[] {
  if (typeof list !== 'string') return list.map((entry) => entry.trim());
  const text = list.trim();
  if (!text.startsWith('['))
    return text
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '');
  const read = readJson(text);
  if (!Array.isArray(read) || !read.every((entry) => typeof entry === 'string')) {
    throw new OriginsError([
      'begins with [ and is no JSON list of texts: separate origins with commas alone',
    ]);
  }
  return read.map((entry) => entry.trim());
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

type Read = { readonly origin: string } | { readonly fault: string };

/** A wildcard is tried in a place that any label can have. */
const label = 'wildcard-label';

function readEntry(entry: string): Read {
  if (entry === '*' || entry === 'null') return { origin: entry };
  const parts = partsOf(entry);
  if (!parts) return { fault: faultOfNoOrigin(entry) };
  const { scheme, host, rest } = parts;
  if (/^wss?$/.test(scheme)) {
    return { fault: `is where a socket leads: write the page's origin, http${scheme.slice(2)}://${host}` };
  }
  if (/^h[tp]+s?$/.test(scheme) && !/^https?$/.test(scheme)) {
    return { fault: `has the scheme ${scheme}: write http:// or https://` };
  }
  if (rest !== '' && rest !== '/') {
    return { fault: `has more than scheme, host and port: write ${scheme}://${host}` };
  }
  if (host.includes('*')) return readWildcard(parts);
  const origin = canonical(parts);
  return origin === undefined ? { fault: `has no host that can be: ${host}` } : { origin };
}

/** Below a name that is someone's own: every label of a top-level domain is another owner's. */
function readWildcard({ scheme, host }: Parts): Read {
  const fault = 'has a * that is not the whole first label of a name: https://*.example.com is the one shape';
  const isShape = /^https?$/.test(scheme) && /^\*\.[^*.:]+(\.[^*.:]+)+(:\d+)?$/.test(host);
  if (!isShape) return { fault };
  const origin = canonical({ scheme, host: host.replace('*', label) });
  return origin === undefined ? { fault } : { origin: origin.replace(label, '*') };
}

function faultOfNoOrigin(entry: string): string {
  if (entry === '') return 'is empty: remove it';
  if (/^['"].*['"]$/.test(entry)) return `stands in quotes: write ${entry.slice(1, -1)}`;
  if (entry.includes('@')) return 'names a user: an origin is scheme, host and port alone';
  if (/^[\w*.-]+(:\d+)?\/?$/.test(entry)) {
    const bare = entry.replace(/\/$/, '');
    const scheme = /^(localhost|[\d.]+)(:|$)/.test(bare) ? 'http' : 'https';
    return `has no scheme: write ${scheme}://${bare}`;
  }
  return 'is no origin: write scheme, host and port, such as https://app.example.com';
}

interface Parts {
  readonly scheme: string;
  /** With its port. */
  readonly host: string;
  readonly rest: string;
}

/** @returns undefined where it is not `scheme://host…` */
function partsOf(text: string): Parts | undefined {
  const [, scheme, host, rest] = /^([a-z][a-z0-9+.-]*):\/\/([^\s/?#@\\]*)([/?#].*)?$/i.exec(text) ?? [];
  if (scheme === undefined || host === undefined) return undefined;
  const isFile = scheme.toLowerCase() === 'file';
  if ((host === '') !== isFile) return undefined;
  return { scheme: scheme.toLowerCase(), host, rest: rest ?? '' };
}

/** @returns undefined where the host is none */
function canonical({ scheme, host }: Pick<Parts, 'scheme' | 'host'>): string | undefined {
  // A browser says no more of a page than that it is a file, if it does not say `null`.
  if (scheme === 'file') return 'file://';
  if (!URL.canParse(`${scheme}://${host}`)) return undefined;
  const url = new URL(`${scheme}://${host}`);
  // URL knows an origin for the web's schemes alone.
  return url.origin === 'null' ? `${scheme}://${host.toLowerCase()}` : url.origin;
}

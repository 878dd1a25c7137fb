import type { Fault } from '../../check.ts';
import { type HttpResponse, requestUpgrade } from '../../target/request.ts';
import type { Target } from '../../target/target.ts';

/** Sends a plain request for a WebSocket, and explains its response. Undefined if it got through. */
export async function explainUpgrade({ url, control }: Target): Promise<Fault | undefined> {
  const answer = await tryUpgrade(url);
  if (typeof answer !== 'string' && answer.status === 101) return undefined;
  const said = describe(answer);
  const alone = await aloneUpgrades(control);
  const found = `a plain upgrade gets ${said}${alone === undefined ? '' : `; past the proxy ${alone}`}`;
  if (alone?.startsWith('every instance') === false) return { found, ...ofInstances };
  return { found, ...causeOf(answer) };
}

async function tryUpgrade(url: string): Promise<HttpResponse | string> {
  return requestUpgrade(url).catch((error: Error) => error.message);
}

function describe(answer: HttpResponse | string): string {
  if (typeof answer === 'string') return `no response (${answer})`;
  return `HTTP/${answer.httpVersion} ${answer.status} ${answer.body.slice(0, 80)}`.trim();
}

/** Undefined if the instances can't be reached directly. */
async function aloneUpgrades(control: Target['control']): Promise<string | undefined> {
  const instances = (await control?.instances())?.filter(({ url }) => url !== undefined) ?? [];
  if (instances.length === 0) return undefined;
  const answers = await Promise.all(
    instances.map(async ({ id, url = '' }) => ({ id, answer: await tryUpgrade(url) })),
  );
  const rejected = answers.filter(({ answer }) => typeof answer === 'string' || answer.status !== 101);
  if (rejected.length === 0) return 'every instance upgrades';
  return rejected.map(({ id, answer }) => `${id} answers ${describe(answer)}`).join(', ');
}

const passOn = 'the proxy does not pass the WebSocket upgrade on';
const forward =
  'let it forward the headers Upgrade and Connection over HTTP/1.1 (in nginx: proxy_http_version 1.1 and both proxy_set_header lines)';

const ofInstances = {
  cause: 'the instances themselves reject WebSockets, whatever the proxy does',
  fix: "look whether the service was started with `transports: ['polling']`, and in its log",
};

function causeOf(answer: HttpResponse | string): Omit<Fault, 'found'> {
  if (typeof answer === 'string') {
    return {
      cause: `${passOn}: it ends the connection instead, or lets it hang`,
      fix: 'look in its log at this moment for a limit on WebSockets, and for HTTP/2 alone between it and the instances',
    };
  }
  const { status, httpVersion, body } = answer;
  if (httpVersion === '1.0')
    return { cause: `${passOn}: it speaks HTTP/1.0, which knows no upgrade`, fix: forward };
  if (status === 400 && /Bad request|Transport unknown/i.test(body)) {
    return { cause: `${passOn}: the instance got a plain GET, so Upgrade was stripped`, fix: forward };
  }
  if (status === 403) {
    return {
      cause: 'a firewall before the instances, or their own look at Origin, rejects WebSockets',
      fix: 'look at the rules of the WAF or the CDN for /socket.io/ with Upgrade, then at CORS_ORIGINS',
    };
  }
  return { cause: passOn, fix: forward };
}

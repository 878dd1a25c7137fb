import { Agent, request } from 'node:http';
import { answerParent } from '../answer-parent.ts';
import { makeBenchToken } from '../bench-token.ts';

/** Who polls: sessions of SignalR's long polling, held by the instance at this port. */
export interface OpenRequest {
  readonly port: number;
  readonly sessions: number;
}

export interface PollRequest {
  /** The instance that is asked; another one than the sessions' relays. */
  readonly port: number;
  /** Of each session. */
  readonly calls: number;
}

const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
const headers = { authorization: `Bearer ${makeBenchToken('bench')}` };
const path = '/chathub';
/** What a client calls that costs the hub next to nothing. */
const call = '{"type":1,"invocationId":"1","target":"leave","arguments":[{"room":"none"}]}\x1e';
const completion = '"invocationId":"1"';
let tokens: readonly string[] = [];

answerParent({
  open: async ({ port, sessions }: OpenRequest) => {
    tokens = await Promise.all(Array.from({ length: sessions }, () => openSession(port)));
  },
  poll: async ({ port, calls }: PollRequest): Promise<Float64Array> => {
    const took = await Promise.all(tokens.map((token) => callAgain(port, token, calls)));
    return Float64Array.from(took.flat());
  },
});

async function openSession(port: number): Promise<string> {
  const negotiated = await ask(port, 'POST', `${path}/negotiate?negotiateVersion=1`);
  const { connectionToken } = JSON.parse(negotiated) as { connectionToken: string };
  await ask(port, 'GET', `${path}?id=${connectionToken}`);
  await ask(port, 'POST', `${path}?id=${connectionToken}`, '{"protocol":"json","version":1}\x1e');
  let heard = '';
  while (!heard.includes('"welcome"')) heard += await ask(port, 'GET', `${path}?id=${connectionToken}`);
  return connectionToken;
}

/** Each call is a POST and the poll that has its answer. @returns milliseconds of each */
async function callAgain(port: number, token: string, calls: number): Promise<number[]> {
  const took: number[] = [];
  for (let number = 0; number < calls; number += 1) {
    const start = performance.now();
    await ask(port, 'POST', `${path}?id=${token}`, call);
    while (!(await ask(port, 'GET', `${path}?id=${token}`)).includes(completion));
    took.push(performance.now() - start);
  }
  return took;
}

function ask(port: number, method: 'GET' | 'POST', target: string, body = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const length = method === 'POST' ? { 'content-length': body.length } : {};
    const asking = request({
      host: '127.0.0.1',
      port,
      method,
      path: target,
      agent,
      headers: { ...headers, ...length },
    });
    asking.on('error', reject);
    asking.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`${method} ${target.split('?')[0]} got ${response.statusCode}: ${text}`));
      });
    });
    asking.end(body);
  });
}

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { freePort } from '../../../lib/local/processes/ports.ts';
import { modelFetch } from '../../../livekit/agent/model-fetch.ts';

const key = 'the-key-of-the-models';
const apiMessage = 'a message of the API';

describe('the way to a model', () => {
  let http: Server;
  let url: string;
  let asked: number;
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  beforeAll(async () => {
    http = createServer((request, response) => {
      asked += 1;
      answer(request, response);
    });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/v1`;
  });
  beforeEach(() => {
    asked = 0;
  });
  afterAll(() => {
    http.close();
    http.closeAllConnections();
  });

  const ask = async (baseURL = url, timeoutMs = 10_000): Promise<string> => {
    const askModel = modelFetch('language model', { apiKey: key, timeoutMs });
    const headers = { authorization: `Bearer ${key}` };
    const response = await askModel(`${baseURL}/chat/completions`, { method: 'POST', headers, body: '{}' });
    if (response.ok) return 'answered';
    return ((await response.json()) as { error: { message: string } }).error.message;
  };
  const refuse = (status: number, headers: Record<string, string> = {}) => {
    answer = (request, response) => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(
        JSON.stringify({ error: { message: `${apiMessage} for ${request.headers.authorization}` } }),
      );
    };
  };

  test.each([
    [400, 1, 'look at LANGUAGE_MODEL: it may be no model for this'],
    [401, 1, 'give VOICE_API_KEY a key that may use this model'],
    [404, 1, 'look at LANGUAGE_MODEL, and at VOICE_API_URL'],
    [429, 1, 'raise the limits'],
    [503, 2, 'it failed twice'],
  ])('%s is said in words, with a remedy, and without the key', async (status, times, remedy) => {
    // What it asks to wait for is longer than any call.
    refuse(status, { 'retry-after': '3600' });
    const message = await ask();
    expect(message).toContain(`it answered ${status} (${apiMessage} for Bearer [the key]): `);
    expect(message).toContain(remedy);
    expect(asked).toBe(times);
  });

  test('a connection that breaks, or a lone 500, heals by itself', async () => {
    answer = (request, response) => {
      if (asked === 1) request.socket.destroy();
      else response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    };
    expect(await ask()).toBe('answered');
    asked = 0;
    answer = (_request, response) => {
      response.writeHead(asked === 1 ? 500 : 200, { 'content-type': 'application/json' }).end('{}');
    };
    expect(await ask()).toBe('answered');
  });

  test('no answer, nobody there, and a web page are distinguished', async () => {
    answer = () => undefined;
    expect(await ask(url, 200)).toContain('no answer in 0.2 s');
    expect(asked).toBe(1);
    answer = (_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>Hello');
    expect(await ask()).toContain('VOICE_API_URL is not that of an API');
    expect(await ask(`http://127.0.0.1:${await freePort()}/v1`)).toContain("can't be reached (ECONNREFUSED)");
  });
});

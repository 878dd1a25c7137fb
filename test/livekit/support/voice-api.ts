import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An API of OpenAI's protocol: a model that says one sentence, and a voice that is a tone. */
export interface VoiceApi {
  readonly url: string;
  /** Each request: its path, key and body. */
  readonly asked: { readonly path: string; readonly authorization: string; readonly body: string }[];
  stop(): Promise<void>;
}

const sampleRate = 24_000;

export async function startVoiceApi(sentence: string): Promise<VoiceApi> {
  const asked: VoiceApi['asked'] = [];
  const http = createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    const path = request.url ?? '';
    asked.push({ path, authorization: request.headers.authorization ?? '', body });
    if (path === '/v1/chat/completions') say(response, sentence);
    else if (path === '/v1/audio/speech') response.end(toneOfOneSecond());
    else response.writeHead(404).end();
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/v1`,
    asked,
    stop: async () => {
      http.close();
      http.closeAllConnections();
    },
  };
}

function say(response: ServerResponse, sentence: string): void {
  const chunk = (delta: object, finish_reason: string | null) => {
    const choices = [{ index: 0, delta, finish_reason }];
    const body = { id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'm', choices };
    response.write(`data: ${JSON.stringify(body)}\n\n`);
  };
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const word of sentence.split(/(?<= )/)) chunk({ role: 'assistant', content: word }, null);
  chunk({}, 'stop');
  response.end('data: [DONE]\n\n');
}

/** 16-bit samples, as `response_format: pcm` asks. */
function toneOfOneSecond(): Buffer {
  const samples = Int16Array.from({ length: sampleRate }, (_, at) =>
    Math.round(8_000 * Math.sin((2 * Math.PI * 440 * at) / sampleRate)),
  );
  return Buffer.from(samples.buffer);
}

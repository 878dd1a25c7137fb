import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An API of OpenAI's protocol: an ear that hears one sentence, a model that says one, and a voice that is a tone. */
export interface VoiceApi {
  readonly url: string;
  /** Each request so far. */
  readonly asked: Asked[];
  /** What callers are understood to say. */
  heard: string;
  /** Seconds of the tone. */
  toneSeconds: number;
  /** From now on, by path. */
  faults: Partial<Record<VoicePath, VoiceFault>>;
  stop(): Promise<void>;
}

export interface Asked {
  readonly path: string;
  readonly authorization: string;
  /** Of a JSON request, its text. */
  readonly body: string;
  /** Of a multipart one. */
  readonly form: FormData | undefined;
}

/** The status that it answers; that it answers nothing, or begins to and goes no further. */
export type VoiceFault = number | 'hangs' | 'stalls';

export const voicePaths = {
  transcription: '/v1/audio/transcriptions',
  completion: '/v1/chat/completions',
  speech: '/v1/audio/speech',
} as const;

export type VoicePath = (typeof voicePaths)[keyof typeof voicePaths];

const sampleRate = 24_000;

export async function startVoiceApi(sentence: string): Promise<VoiceApi> {
  const http = createServer(async (request, response) => {
    const asked = await read(request);
    api.asked.push(asked);
    const fault = api.faults[asked.path as VoicePath];
    if (fault === 'stalls') response.writeHead(200).flushHeaders();
    if (fault === 'hangs' || fault === 'stalls') return;
    if (fault !== undefined) refuse(response, fault, asked.authorization);
    else if (asked.path === voicePaths.transcription) transcribe(response, api.heard);
    else if (asked.path === voicePaths.completion) say(response, sentence);
    else if (asked.path === voicePaths.speech) response.end(tone(api.toneSeconds));
    else response.writeHead(404).end();
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const api: VoiceApi = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/v1`,
    asked: [],
    heard: '',
    toneSeconds: 1,
    faults: {},
    stop: async () => {
      http.close();
      http.closeAllConnections();
    },
  };
  return api;
}

async function read(request: IncomingMessage): Promise<Asked> {
  const { url: path = '', headers } = request;
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part);
  const body = Buffer.concat(parts);
  const type = headers['content-type'] ?? '';
  const isForm = type.startsWith('multipart/form-data');
  return {
    path,
    authorization: headers.authorization ?? '',
    body: isForm ? '' : body.toString(),
    form: isForm ? await new Response(body, { headers: { 'content-type': type } }).formData() : undefined,
  };
}

/** As `response_format: json` asks. */
function transcribe(response: ServerResponse, text: string): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  const usage = { type: 'tokens', input_tokens: 20, output_tokens: 9, total_tokens: 29 };
  response.end(JSON.stringify({ text, usage }));
}

/** As OpenAI's errors are, with more of the key than OpenAI shows. */
function refuse(response: ServerResponse, status: number, authorization: string): void {
  const message =
    status === 401 ? `Incorrect API key provided: ${authorization}.` : 'The server had an error.';
  const error = { message, type: 'error', param: null, code: null };
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ error }));
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
function tone(seconds: number): Buffer {
  const samples = Int16Array.from({ length: sampleRate * seconds }, (_, at) =>
    Math.round(8_000 * Math.sin((2 * Math.PI * 440 * at) / sampleRate)),
  );
  return Buffer.from(samples.buffer);
}

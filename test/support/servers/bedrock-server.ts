import { EventEmitter, once } from 'node:events';
import { createServer, type Http2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { EventStreamCodec } from '@smithy/core/event-streams';

/** What one call of `ConverseStream` is answered with. */
export type BedrockAnswer =
  /** An error in place of a stream. */
  | { readonly status: number; readonly error: string; readonly message: string }
  /** Events, one after the other. `hang`: the stream stays open; `drop`: the connection ends in the middle. */
  | { readonly events: readonly BedrockEvent[]; readonly end?: 'hang' | 'drop' };

export type BedrockEvent =
  | { readonly event: string; readonly payload: object }
  | { readonly exception: string };

export interface BedrockServer {
  readonly url: string;
  /** Each call: path and body. */
  readonly calls: { readonly path: string; readonly body: Record<string, unknown> }[];
  /** Emits `closed` when a client resets a stream. */
  readonly events: EventEmitter;
  stop(): Promise<void>;
}

const text = new TextEncoder();
const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes as Uint8Array).toString('utf8'),
  (said) => text.encode(said),
);

/** Speaks HTTP/2 and AWS's event streams as Bedrock does, and says what a test wants: the last answer again and again. */
export async function startBedrock(answers: readonly BedrockAnswer[]): Promise<BedrockServer> {
  const server = createServer();
  const sessions = new Set<Http2Session>();
  const calls: BedrockServer['calls'] = [];
  const events = new EventEmitter();
  server.on('session', (session) => sessions.add(session));
  server.on('stream', async (stream, headers) => {
    stream.on('error', () => undefined);
    stream.on('close', () => events.emit('closed'));
    let body = '';
    for await (const part of stream) body += part;
    calls.push({ path: decodeURIComponent(headers[':path'] as string), body: JSON.parse(body) });
    reply(stream, answers[Math.min(calls.length, answers.length) - 1] as BedrockAnswer);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    events,
    stop: async () => {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
}

function reply(stream: ServerHttp2Stream, answer: BedrockAnswer): void {
  if ('error' in answer) {
    stream.respond({
      ':status': answer.status,
      'content-type': 'application/json',
      'x-amzn-errortype': answer.error,
    });
    stream.end(JSON.stringify({ message: answer.message }));
    return;
  }
  stream.respond({ ':status': 200, 'content-type': 'application/vnd.amazon.eventstream' });
  for (const event of answer.events) stream.write(frameOf(event));
  if (answer.end === 'drop') setTimeout(() => stream.close(2), 50);
  else if (answer.end !== 'hang') stream.end();
}

function frameOf(event: BedrockEvent): Uint8Array {
  const isException = 'exception' in event;
  const named = isException
    ? { ':message-type': 'exception', ':exception-type': event.exception }
    : { ':message-type': 'event', ':event-type': event.event };
  const headers = Object.entries({ ...named, ':content-type': 'application/json' });
  return codec.encode({
    headers: Object.fromEntries(headers.map(([name, value]) => [name, { type: 'string' as const, value }])),
    body: text.encode(JSON.stringify(isException ? { message: 'the details' } : event.payload)),
  });
}

/** A whole answer of these pieces, with all the events that come with one. */
export function saying(...pieces: readonly string[]): BedrockEvent[] {
  return [
    { event: 'messageStart', payload: { role: 'assistant' } },
    ...pieces.map((piece) => delta(piece)),
    { event: 'contentBlockStop', payload: { contentBlockIndex: 0 } },
    { event: 'messageStop', payload: { stopReason: 'end_turn' } },
    {
      event: 'metadata',
      payload: { usage: { inputTokens: 1, outputTokens: 2, totalTokens: 3 }, metrics: { latencyMs: 4 } },
    },
  ];
}

export function delta(piece: string): BedrockEvent {
  return { event: 'contentBlockDelta', payload: { contentBlockIndex: 0, delta: { text: piece } } };
}

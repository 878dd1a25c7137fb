import { once } from 'node:events';
import { openBedrockModel } from '../../../../app/server/models/bedrock.ts';
import type { ModelError } from '../../../../app/server/models/provider.ts';
import {
  type BedrockAnswer,
  type BedrockServer,
  delta,
  saying,
  startBedrock,
} from '../../../support/servers/bedrock-server.ts';

const modelId = 'eu.amazon.nova-lite-v1:0';
const secret = 'the words of the prompt';
const messages = [{ role: 'user', text: secret }] as const;

const opened: { stop(): unknown }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.stop();
});

async function open(...answers: BedrockAnswer[]) {
  const server = await startBedrock(answers);
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const requestHandler = { requestTimeout: 500 };
  const client = { endpoint: server.url, region: 'eu-central-1', credentials, requestHandler };
  const model = openBedrockModel({ modelId, client });
  opened.push(server, { stop: () => model.close() });
  return { server, model };
}

type Opened = Awaited<ReturnType<typeof open>>;

/** All that is said, and the error behind it. */
async function listen({ model }: Opened, signal = new AbortController().signal) {
  const said: string[] = [];
  try {
    for await (const text of model.stream({ messages, signal })) said.push(text);
    return { said, error: undefined };
  } catch (error) {
    return { said, error: error as ModelError };
  }
}

const refusing = (error: string, message: string, status = 400): BedrockAnswer => ({
  status,
  error,
  message,
});

test('the conversation goes out as Converse takes it, and the text comes back piece by piece', async () => {
  const bedrock = await open({ events: saying('Hel', '', 'lo', ' “🚀”') });
  expect(await listen(bedrock)).toEqual({ said: ['Hel', 'lo', ' “🚀”'], error: undefined });
  expect(bedrock.server.calls).toEqual([
    {
      path: `/model/${modelId}/converse-stream`,
      body: {
        messages: [{ role: 'user', content: [{ text: secret }] }],
        inferenceConfig: { maxTokens: 4_096 },
      },
    },
  ]);
});

test('throttled before the first token, by an answer or in the stream, it is asked again', async () => {
  const bedrock = await open(
    refusing('ThrottlingException', 'Too many requests', 429),
    {
      events: [
        { event: 'messageStart', payload: { role: 'assistant' } },
        { exception: 'throttlingException' },
      ],
    },
    { events: saying('at last') },
  );
  expect(await listen(bedrock)).toEqual({ said: ['at last'], error: undefined });
  expect(bedrock.server.calls).toHaveLength(3);
});

test.each([
  ['throttlingException', 'busy'],
  ['serviceUnavailableException', 'busy'],
  ['internalServerException', 'broken'],
  ['modelStreamErrorException', 'broken'],
  ['validationException', 'rejected'],
])('%s behind the first token ends the answer, and it is not begun again', async (exception, fault) => {
  const bedrock = await open({ events: [delta('Once upon'), { exception }] });
  const { said, error } = await listen(bedrock);
  expect([said, error?.name, error?.fault]).toEqual([['Once upon'], 'ModelError', fault]);
  expect(bedrock.server.calls).toHaveLength(1);
});

test.each([
  [
    'AccessDeniedException',
    "You don't have access to the model",
    403,
    'misconfigured',
    'bedrock:InvokeModelWithResponseStream',
  ],
  [
    'ResourceNotFoundException',
    'Could not resolve the foundation model',
    404,
    'misconfigured',
    `MODEL_ID is ${modelId}`,
  ],
  [
    'ValidationException',
    'The provided model identifier is invalid.',
    400,
    'misconfigured',
    `MODEL_ID is ${modelId}`,
  ],
  [
    'ValidationException',
    'Invocation with on-demand throughput isn’t supported',
    400,
    'misconfigured',
    'inference profile',
  ],
  [
    'ValidationException',
    `Malformed input near: ${secret}`,
    400,
    'rejected',
    'does not take this conversation',
  ],
  [
    'UnrecognizedClientException',
    'The security token is invalid',
    403,
    'misconfigured',
    'Give the service a role',
  ],
  ['InternalServerException', 'an internal error', 500, 'broken', 'InternalServerException'],
])('%s (%s) says what to do, and never the prompt', async (name, message, status, fault, advice) => {
  const { said, error } = await listen(await open(refusing(name, message, status)));
  expect([said, error?.fault]).toEqual([[], fault]);
  expect(error?.message).toContain(advice);
  expect(error?.message).not.toContain(secret);
});

test('a model that falls silent is waited for so long and no longer', async () => {
  const { said, error } = await listen(await open({ events: [delta('half')], end: 'hang' }));
  expect([said, error?.fault]).toEqual([['half'], 'broken']);
});

test('a stream that breaks off, or ends before the message does, is no whole answer', async () => {
  const dropped = await listen(await open({ events: [delta('half')], end: 'drop' }));
  expect([dropped.said, dropped.error?.fault]).toEqual([['half'], 'broken']);
  const short = await listen(await open({ events: [delta('half')] }));
  expect([short.said, short.error?.fault]).toEqual([['half'], 'broken']);
  const nobody = await open({ events: [] });
  await nobody.server.stop();
  expect((await listen(nobody)).error?.fault).toBe('broken');
});

test('an answer that a filter stops says so', async () => {
  const events = [delta('I'), { event: 'messageStop', payload: { stopReason: 'guardrail_intervened' } }];
  const { said, error } = await listen(await open({ events }));
  expect([said, error?.fault]).toEqual([['I'], 'rejected']);
});

test('aborted in the middle it stops at once and hangs up; aborted while it waits to try again, too', async () => {
  const bedrock = await open({ events: [delta('so far')], end: 'hang' });
  const stop = new AbortController();
  const closed = once((bedrock.server as BedrockServer).events, 'closed');
  const reason = new Error('cancelled');
  const said: string[] = [];
  const listening = (async () => {
    for await (const text of bedrock.model.stream({ messages, signal: stop.signal })) {
      said.push(text);
      stop.abort(reason);
    }
  })();
  await expect(listening).rejects.toBe(reason);
  await closed;
  expect(said).toEqual(['so far']);

  const busy = await open(refusing('ThrottlingException', 'Too many requests', 429));
  const other = new AbortController();
  const waiting = listen(busy, other.signal);
  setTimeout(() => other.abort(reason), 200);
  expect((await waiting).error).toBe(reason);
});

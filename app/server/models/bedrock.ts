import { setTimeout as delay } from 'node:timers/promises';
import {
  BedrockRuntimeClient,
  type BedrockRuntimeClientConfig,
  type ContentBlock,
  ConverseStreamCommand,
  type ConverseStreamOutput,
} from '@aws-sdk/client-bedrock-runtime';
import { ModelError, type ModelFault, type ModelMessage, type ModelProvider } from './provider.ts';

interface Explanation {
  readonly fault: ModelFault;
  /** What to do; undefined where waiting is all. */
  readonly advice?: (modelId: string) => string;
}

const access = (modelId: string) =>
  `Allow the task's role bedrock:InvokeModelWithResponseStream on ${modelId} (an inference profile needs it on the ` +
  'models behind it too), and ask for access to the model in the console: Bedrock, Model access';
const name = (modelId: string) =>
  `MODEL_ID is ${modelId}: it must be a model or an inference profile of this account and region. Newer models ` +
  'are reached by inference profile alone, such as eu.… or us.…';
const credentials = () =>
  "Give the service a role (the stack's task role does), or AWS credentials in its environment";

const explanations: Readonly<Record<string, Explanation>> = {
  ThrottlingException: { fault: 'busy' },
  ServiceUnavailableException: { fault: 'busy' },
  ModelNotReadyException: { fault: 'busy' },
  ServiceQuotaExceededException: {
    fault: 'busy',
    advice: () => 'Ask for a higher quota in Service Quotas: Bedrock',
  },
  ModelTimeoutException: { fault: 'broken' },
  InternalServerException: { fault: 'broken' },
  ModelStreamErrorException: { fault: 'broken' },
  ModelErrorException: { fault: 'broken' },
  AccessDeniedException: { fault: 'misconfigured', advice: access },
  ResourceNotFoundException: { fault: 'misconfigured', advice: name },
  UnrecognizedClientException: { fault: 'misconfigured', advice: credentials },
  ExpiredTokenException: { fault: 'misconfigured', advice: credentials },
  CredentialsProviderError: { fault: 'misconfigured', advice: credentials },
  ValidationException: { fault: 'rejected' },
};

/** Bedrock says by the same exception that a name is no model's and that a conversation does not fit. */
const isAboutName = /model identifier|inference profile|on-demand throughput|isn.t supported/i;

/**
 * What the fault means, and what to do. Bedrock's own words are kept where they are of access, names and quotas;
 * a `ValidationException` may quote the conversation, so of it only the name is logged.
 */
export function explainBedrock(error: Error, modelId: string): ModelError {
  if (error instanceof ModelError) return error;
  if (error.name === 'ValidationException') return explainValidation(error, modelId);
  const known = Object.hasOwn(explanations, error.name) ? explanations[error.name] : undefined;
  if (!known)
    return new ModelError('broken', `Bedrock can't be reached or failed: ${error.name}: ${error.message}`);
  const advice = known.advice ? ` ${known.advice(modelId)}.` : '';
  return new ModelError(known.fault, `Bedrock: ${error.name}: ${error.message}.${advice}`);
}

function explainValidation({ name: kind, message }: Error, modelId: string): ModelError {
  if (isAboutName.test(message))
    return new ModelError('misconfigured', `Bedrock: ${kind}. ${name(modelId)}.`);
  return new ModelError('rejected', `Bedrock: ${kind}: ${modelId} does not take this conversation`);
}

/** So many tries in all; with the pauses between them a busy model is waited for about 4 s. */
const mostTries = 4;
const firstPauseMs = 500;

export interface BedrockOptions {
  /** A model's id, or an inference profile's, such as `eu.amazon.nova-lite-v1:0`. */
  readonly modelId: string;
  /** Longest answer in the model's own tokens. @default 4,096 */
  readonly maxTokens?: number;
  /** What the model gets before each conversation. @default nothing */
  readonly system?: string;
  /** Of the SDK's client, for example its region. @default the environment's */
  readonly client?: BedrockRuntimeClientConfig;
}

/** Milliseconds in which a model must say something; a long prompt may keep it busy before its first token. */
const longestSilenceMs = 60_000;

/** Amazon Bedrock by `ConverseStream`, which speaks to every model that streams text. */
export function openBedrockModel(options: BedrockOptions): ModelProvider & { close(): void } {
  const { modelId } = options;
  // Tries of our own: they also cover a stream that is throttled before its first token.
  const client = new BedrockRuntimeClient({
    requestHandler: { requestTimeout: longestSilenceMs },
    ...options.client,
    maxAttempts: 1,
  });
  return {
    name: `bedrock/${modelId}`,
    stream: ({ messages, signal }) =>
      retryBusy(() => streamOnce(client, commandOf(options, messages), modelId, signal), signal),
    close: () => client.destroy(),
  };
}

function commandOf(
  { modelId, maxTokens = 4_096, system }: BedrockOptions,
  messages: readonly ModelMessage[],
): ConverseStreamCommand {
  const contentOf = (text: string): ContentBlock[] => [{ text }];
  return new ConverseStreamCommand({
    modelId,
    messages: messages.map(({ role, text }) => ({ role, content: contentOf(text) })),
    inferenceConfig: { maxTokens },
    ...(system === undefined ? {} : { system: [{ text: system }] }),
  });
}

async function* streamOnce(
  client: BedrockRuntimeClient,
  command: ConverseStreamCommand,
  modelId: string,
  signal: AbortSignal,
): AsyncIterable<string> {
  let isWhole = false;
  try {
    const { stream } = await client.send(command, { abortSignal: signal });
    for await (const event of stream ?? []) {
      signal.throwIfAborted();
      const text = event.contentBlockDelta?.delta?.text;
      if (text) yield text;
      if (event.messageStop) isWhole = stopped(event.messageStop.stopReason);
      const fault = faultIn(event);
      if (fault) throw fault;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw explainBedrock(error as Error, modelId);
  }
  // Aborted while it waits for the next event, the SDK ends the stream as if that were all.
  signal.throwIfAborted();
  if (!isWhole)
    throw new ModelError('broken', `Bedrock: the stream of ${modelId} ended without an end of message`);
}

/** @throws ModelError where the model was stopped. @returns true: nothing comes behind it */
function stopped(reason: string | undefined): true {
  if (reason === 'guardrail_intervened' || reason === 'content_filtered') {
    throw new ModelError('rejected', `Bedrock: the answer was stopped by its filter (${reason})`);
  }
  if (reason?.startsWith('malformed'))
    throw new ModelError('broken', `Bedrock: the model's output is ${reason}`);
  return true;
}

/** The SDK throws these; should a version hand them on as events, they end the answer all the same. */
function faultIn(event: ConverseStreamOutput): Error | undefined {
  return (
    event.internalServerException ??
    event.modelStreamErrorException ??
    event.throttlingException ??
    event.validationException ??
    event.serviceUnavailableException
  );
}

/**
 * Starts a stream again where the model was busy. Only before its first token: what was said can't be said
 * again, since nobody knows how another try would go on.
 */
async function* retryBusy(start: () => AsyncIterable<string>, signal: AbortSignal): AsyncIterable<string> {
  for (let tries = 1; ; tries += 1) {
    let hasBegun = false;
    try {
      for await (const text of start()) {
        hasBegun = true;
        yield text;
      }
      return;
    } catch (error) {
      const isBusy = error instanceof ModelError && error.fault === 'busy';
      if (hasBegun || !isBusy || tries === mostTries) throw error;
    }
    await delay(firstPauseMs * 2 ** (tries - 1) * (0.5 + Math.random()), undefined, { signal }).catch(() => {
      signal.throwIfAborted();
    });
  }
}

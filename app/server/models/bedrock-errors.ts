import { ModelError, type ModelFault } from './provider.ts';

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

import { createHash } from 'node:crypto';
import type { Cache } from '../cache/open-cache.ts';
import { openOfflineModel } from './offline.ts';
import type { ModelProvider, ModelRequest } from './provider.ts';

/** As the environment says. */
export interface ModelSettings {
  readonly provider: 'offline' | 'bedrock';
  readonly id: string | undefined;
}

/**
 * Bedrock's SDK takes 0.2 s to load: only those who use it pay. What it is asked for money is kept for a while.
 *
 * @param cache of whole answers; the offline model needs none
 * @throws Error when Bedrock is chosen and no model is
 */
export async function openModel({ provider, id }: ModelSettings, cache: AnswerCache): Promise<ModelProvider> {
  if (provider === 'offline') return openOfflineModel();
  if (id === undefined) throw new Error('MODEL_PROVIDER=bedrock needs MODEL_ID');
  const { openBedrockModel } = await import('./bedrock.ts');
  return cacheFirstAnswers(openBedrockModel({ modelId: id }), cache);
}

/** Where whole answers are kept. */
export type AnswerCache = Pick<Cache<string>, 'get' | 'set'>;

/** Milliseconds. */
const keptMs = 600_000;

/**
 * Answers from a cache what was asked before in the same words. First prompts alone: they have no conversation
 * before them, so the answer depends on nothing of anyone's. Only whole answers are kept.
 */
export function cacheFirstAnswers(provider: ModelProvider, cache: AnswerCache): ModelProvider {
  return {
    name: provider.name,
    stream: (request) =>
      request.messages.length === 1 ? throughCache(provider, request, cache) : provider.stream(request),
  };
}

async function* throughCache(
  provider: ModelProvider,
  request: ModelRequest,
  cache: AnswerCache,
): AsyncIterable<string> {
  const key = keyOf(provider.name, request);
  const kept = await cache.get(key);
  if (kept) {
    yield kept;
    return;
  }
  let whole = '';
  for await (const text of provider.stream(request)) {
    whole += text;
    yield text;
  }
  if (whole !== '') await cache.set(key, whole, keptMs);
}

/** Neither the prompt nor anything it can be read from stands in a key. */
function keyOf(model: string, { messages }: ModelRequest): string {
  return createHash('sha256')
    .update(JSON.stringify([model, messages]))
    .digest('base64url');
}

import { createHash } from 'node:crypto';
import type { ModelProvider, ModelRequest } from './provider.ts';

/** Where whole answers are kept. */
export interface AnswerCache {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string, ttlMs: number): Promise<void>;
}

export interface CachedOptions {
  readonly cache: AnswerCache;
  /** Milliseconds. @default 600,000 (10 minutes) */
  readonly ttlMs?: number;
  /** Told when the cache fails, which only costs what it would have saved. */
  readonly onFault?: (error: Error) => void;
}

/**
 * Answers from a cache what was asked before in the same words. First prompts alone: they have no conversation
 * before them, so the answer depends on nothing of anyone's. Only whole answers are kept.
 */
export function cacheFirstAnswers(provider: ModelProvider, options: CachedOptions): ModelProvider {
  return {
    name: provider.name,
    stream: (request) =>
      request.messages.length === 1 ? throughCache(provider, request, options) : provider.stream(request),
  };
}

async function* throughCache(
  provider: ModelProvider,
  request: ModelRequest,
  { cache, ttlMs = 600_000, onFault = () => undefined }: CachedOptions,
): AsyncIterable<string> {
  const key = keyOf(provider.name, request);
  const kept = await cache.get(key).catch(onFault);
  if (kept) {
    yield kept;
    return;
  }
  let whole = '';
  for await (const text of provider.stream(request)) {
    whole += text;
    yield text;
  }
  if (whole !== '') await cache.set(key, whole, ttlMs).catch(onFault);
}

/** Neither the prompt nor anything it can be read from stands in a key. */
function keyOf(model: string, { messages }: ModelRequest): string {
  return createHash('sha256')
    .update(JSON.stringify([model, messages]))
    .digest('base64url');
}

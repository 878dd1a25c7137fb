import { type AnswerCache, cacheFirstAnswers } from './cached.ts';
import { openOfflineModel } from './offline.ts';
import type { ModelProvider } from './provider.ts';

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

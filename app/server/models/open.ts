import { openOfflineModel } from './offline.ts';
import type { ModelProvider } from './provider.ts';

/** As the environment says. */
export interface ModelSettings {
  readonly provider: 'offline' | 'bedrock';
  readonly id: string | undefined;
}

/**
 * Bedrock's SDK takes 0.2 s to load: only those who use it pay.
 * @throws Error when Bedrock is chosen and no model is
 */
export async function openModel({ provider, id }: ModelSettings): Promise<ModelProvider> {
  if (provider === 'offline') return openOfflineModel();
  if (id === undefined) throw new Error('MODEL_PROVIDER=bedrock needs MODEL_ID');
  const { openBedrockModel } = await import('./bedrock.ts');
  return openBedrockModel({ modelId: id });
}

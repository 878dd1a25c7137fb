import OpenAI from 'openai';
import type { ModelRole, VoiceSettings } from './environment.ts';
import { longestQuestionMs, modelFetch } from './model-fetch.ts';

/** A client of one model. Its own retries are off, for they wait as long as the API asks, in the middle of a call. */
export function openModelApi(role: ModelRole, settings: VoiceSettings): OpenAI {
  const { apiKey, baseURL } = settings;
  return new OpenAI({
    apiKey,
    baseURL,
    maxRetries: 0,
    timeout: longestQuestionMs(settings),
    fetch: modelFetch(role, settings),
  });
}

import { z } from 'zod';
import { defaultAgentPort, type modelVariables, agentEnvironment as names } from './names.ts';

/** All that the agent takes from its environment. */
export interface AgentSettings {
  readonly url: string;
  readonly apiKey: string;
  readonly apiSecret: string;
  readonly agentName: string;
  readonly port: number;
  readonly drainSeconds: number;
  readonly drainFile: string | undefined;
  readonly loadThreshold: number;
  readonly logLevel: string;
  /** Undefined: it echoes. */
  readonly voice: VoiceSettings | undefined;
}

/** A chain of speech-to-text, a model and text-to-speech, at one API. */
export interface VoiceSettings {
  readonly apiKey: string;
  readonly baseURL: string | undefined;
  readonly timeoutMs: number;
  readonly models: Readonly<Record<ModelRole, string>>;
  readonly voice: string;
  readonly instructions: string;
  readonly failureNotice: string;
}

export type ModelRole = keyof typeof modelVariables;

const whole = (least: number, most: number) => z.coerce.number().int().min(least).max(most);
const text = z.string().min(1);

const schema = z.object({
  [names.url]: z.url({ protocol: /^(ws|http)s?$/, error: 'must be a ws(s) URL' }),
  [names.apiKey]: text,
  [names.apiSecret]: text,
  [names.agentName]: text.default('voice'),
  [names.mode]: z.enum(['echo', 'voice']).default('echo'),
  [names.port]: whole(1, 65_535).default(defaultAgentPort),
  // ECS on Fargate waits 120 s at most.
  [names.drainSeconds]: whole(1, 3_600).default(110),
  [names.drainFile]: text.optional(),
  [names.loadThreshold]: z.coerce.number().positive().default(0.7),
  [names.logLevel]: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal']).default('info'),
  [names.voiceApiKey]: text.optional(),
  [names.voiceApiUrl]: z.url().optional(),
  // The framework's own default; a caller who waits longer has hung up.
  [names.voiceApiTimeoutSeconds]: z.coerce.number().min(0.1).max(120).default(10),
  [names.speechToTextModel]: text.default('gpt-4o-mini-transcribe'),
  [names.languageModel]: text.default('gpt-4.1-mini'),
  [names.textToSpeechModel]: text.default('gpt-4o-mini-tts'),
  [names.voice]: text.default('ash'),
  [names.instructions]: text.default(
    'You are in a voice call. Answer in one or two short sentences, in plain words, without lists or markup.',
  ),
  [names.failureNotice]: text.default(
    'Sorry, something went wrong on my side. Please try again in a moment.',
  ),
});

/** @throws Error that lists every fault; values of secrets are not told */
export function readSettings(variables: NodeJS.ProcessEnv): AgentSettings {
  const parsed = schema.safeParse(variables);
  const faults = (parsed.error?.issues ?? []).map(({ path, message }) => `  ${path.join('.')}: ${message}`);
  if (variables[names.mode] === 'voice' && !variables[names.voiceApiKey]) {
    faults.push(`  ${names.mode}=voice needs ${names.voiceApiKey}; echo needs no key`);
  }
  if (!parsed.success || faults.length > 0) {
    throw new Error(`The environment can't be used:\n${faults.join('\n')}`);
  }
  const value = parsed.data;
  const apiKey = value[names.voiceApiKey];
  return {
    url: value[names.url],
    apiKey: value[names.apiKey],
    apiSecret: value[names.apiSecret],
    agentName: value[names.agentName],
    port: value[names.port],
    drainSeconds: value[names.drainSeconds],
    drainFile: value[names.drainFile],
    loadThreshold: value[names.loadThreshold],
    logLevel: value[names.logLevel],
    voice:
      value[names.mode] === 'voice' && apiKey !== undefined
        ? {
            apiKey,
            baseURL: value[names.voiceApiUrl],
            timeoutMs: value[names.voiceApiTimeoutSeconds] * 1_000,
            models: {
              'speech-to-text': value[names.speechToTextModel],
              'language model': value[names.languageModel],
              'text-to-speech': value[names.textToSpeechModel],
            },
            voice: value[names.voice],
            instructions: value[names.instructions],
            failureNotice: value[names.failureNotice],
          }
        : undefined,
  };
}

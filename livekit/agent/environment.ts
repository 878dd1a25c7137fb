import { agentVariables } from './agent-variables.ts';
import { type modelVariables, agentEnvironment as names } from './names.ts';
import { readVariables, rule, type Values, type VariableRule } from './variables.ts';

/** All that the agent takes from its environment. */
export type AgentSettings = ReturnType<typeof readSettings>;

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

const rules: readonly VariableRule<typeof agentVariables>[] = [
  rule(
    ['mode', 'voiceApiKey'],
    ({ mode, voiceApiKey }) =>
      mode === 'voice' &&
      voiceApiKey === undefined &&
      `${names.mode}=voice needs ${names.voiceApiKey}; echo needs no key`,
  ),
];

/** @throws EnvironmentError that lists every fault; values of secrets are not shown */
export function readSettings(variables: NodeJS.ProcessEnv) {
  const values = readVariables(agentVariables, rules, variables);
  const { url, apiKey, apiSecret, agentName, port, drainSeconds, drainFile, loadThreshold, logLevel } =
    values;
  return {
    ...{ url, apiKey, apiSecret, agentName, port, drainSeconds, drainFile, loadThreshold, logLevel },
    /** Undefined: it echoes. */
    voice: voiceOf(values),
  };
}

function voiceOf(values: Values<typeof agentVariables>): VoiceSettings | undefined {
  const { mode, voiceApiKey, voice, instructions, failureNotice } = values;
  if (mode !== 'voice' || voiceApiKey === undefined) return undefined;
  return {
    apiKey: voiceApiKey,
    baseURL: values.voiceApiUrl,
    timeoutMs: values.voiceApiTimeoutSeconds * 1_000,
    models: {
      'speech-to-text': values.speechToTextModel,
      'language model': values.languageModel,
      'text-to-speech': values.textToSpeechModel,
    },
    voice,
    instructions,
    failureNotice,
  };
}

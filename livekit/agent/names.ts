import { agentVariables } from './agent-variables.ts';
import { namesOf } from './variables.ts';

/** Environment variables of the agent, for whatever starts it; `agent-variables.ts` says what they are. */
export const agentEnvironment = namesOf(agentVariables);

/** The models of mode `voice`, each by what it does, and the variable that names it. */
export const modelVariables = {
  'speech-to-text': agentEnvironment.speechToTextModel,
  'language model': agentEnvironment.languageModel,
  'text-to-speech': agentEnvironment.textToSpeechModel,
} as const;

/**
 * Attribute of the agent in the call: which of the models failed, a key of `modelVariables`, until a reply is heard
 * again. Absent: none.
 */
export const failedModelAttribute = 'failed-model';

/** Port of the health check, unless `PORT` says otherwise. */
export const defaultAgentPort = agentVariables.port.otherwise;

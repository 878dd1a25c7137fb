/** Environment variables of the agent. Only constants stand here, for whatever starts it. */
export const agentEnvironment = {
  /** LiveKit, as the agent reaches it: `ws://…` inside, `wss://…` outside. */
  url: 'LIVEKIT_URL',
  apiKey: 'LIVEKIT_API_KEY',
  apiSecret: 'LIVEKIT_API_SECRET',
  /** By which calls ask for it. */
  agentName: 'LIVEKIT_AGENT_NAME',
  /** `echo` (default) needs no key and says what it hears; `voice` listens, thinks and speaks. */
  mode: 'AGENT_MODE',
  /** Port of the health check. */
  port: 'PORT',
  /** Seconds that jobs have to end after SIGTERM. */
  drainSeconds: 'DRAIN_SECONDS',
  /** Its existence means what SIGTERM does, before ECS sends that. */
  drainFile: 'DRAIN_FILE',
  /** Share of the processors above which it takes no new call, and LiveKit asks another worker. Above 1: never. */
  loadThreshold: 'LOAD_THRESHOLD',
  logLevel: 'LOG_LEVEL',
  /** Mode `voice`: the key of an API that speaks OpenAI's protocol. */
  voiceApiKey: 'VOICE_API_KEY',
  /** Where that API is; absent: at OpenAI. */
  voiceApiUrl: 'VOICE_API_URL',
  /** Seconds that a model may take until it begins to answer. */
  voiceApiTimeoutSeconds: 'VOICE_API_TIMEOUT_SECONDS',
  speechToTextModel: 'SPEECH_TO_TEXT_MODEL',
  languageModel: 'LANGUAGE_MODEL',
  textToSpeechModel: 'TEXT_TO_SPEECH_MODEL',
  voice: 'VOICE',
  instructions: 'INSTRUCTIONS',
  /** What the caller is told when one of the models fails. */
  failureNotice: 'FAILURE_NOTICE',
} as const;

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

/** Port of the health check: `/` is 200 once the worker is registered, `/worker` tells its jobs. */
export const defaultAgentPort = 8081;

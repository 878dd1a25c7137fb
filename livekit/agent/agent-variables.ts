import { numberBetween, oneOf, someText, urlOf, type Variables, wholeNumber } from './variables.ts';

const livekit = 'the agent is a worker of LiveKit';

/** The environment of the voice agent: every variable that it reads. */
export const agentVariables = {
  url: {
    name: 'LIVEKIT_URL',
    read: urlOf('ws', 'wss', 'http', 'https'),
    required: livekit,
    about: 'LiveKit, as the agent reaches it: `ws://…` inside, `wss://…` outside',
  },
  apiKey: {
    name: 'LIVEKIT_API_KEY',
    read: someText,
    required: livekit,
    about: 'key of LiveKit',
    isSecret: true,
  },
  apiSecret: {
    name: 'LIVEKIT_API_SECRET',
    read: someText,
    required: livekit,
    about: 'its secret',
    isSecret: true,
  },
  agentName: {
    name: 'LIVEKIT_AGENT_NAME',
    read: someText,
    otherwise: 'voice',
    about: 'name by which calls ask for it',
  },
  mode: {
    name: 'AGENT_MODE',
    read: oneOf('echo', 'voice'),
    otherwise: 'echo',
    about: '`echo` needs no key and says what it hears; `voice` listens, thinks and speaks',
  },
  port: {
    name: 'PORT',
    read: wholeNumber(1, 65_535),
    otherwise: 8081,
    about: 'port of the health check: `/` is 200 once the worker is registered, `/worker` tells its jobs',
  },
  drainSeconds: {
    name: 'DRAIN_SECONDS',
    read: wholeNumber(1, 3_600),
    // ECS on Fargate waits 120 s at most.
    otherwise: 110,
    about: 'seconds that jobs have to end after SIGTERM',
  },
  drainFile: {
    name: 'DRAIN_FILE',
    read: someText,
    about: 'a file whose existence means what SIGTERM does, before ECS sends that',
  },
  loadThreshold: {
    name: 'LOAD_THRESHOLD',
    read: numberBetween(0.01, 100),
    otherwise: 0.7,
    about:
      'share of the processors above which it takes no new call, and LiveKit asks another worker. Above 1: never',
  },
  logLevel: {
    name: 'LOG_LEVEL',
    read: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal'),
    otherwise: 'info',
    about: '`trace`, `debug`, `info`, `warn`, `error` or `fatal`',
  },
  voiceApiKey: {
    name: 'VOICE_API_KEY',
    read: someText,
    about: "mode `voice`: the key of an API that speaks OpenAI's protocol",
    isSecret: true,
  },
  voiceApiUrl: {
    name: 'VOICE_API_URL',
    read: urlOf('http', 'https'),
    about: 'where that API is; else at OpenAI',
  },
  voiceApiTimeoutSeconds: {
    name: 'VOICE_API_TIMEOUT_SECONDS',
    read: numberBetween(0.1, 120),
    // The framework's own default; a caller who waits longer has hung up.
    otherwise: 10,
    about: 'seconds that a model may take until it begins to answer',
  },
  speechToTextModel: {
    name: 'SPEECH_TO_TEXT_MODEL',
    read: someText,
    otherwise: 'gpt-4o-mini-transcribe',
    about: 'model for speech to text',
  },
  languageModel: {
    name: 'LANGUAGE_MODEL',
    read: someText,
    otherwise: 'gpt-4.1-mini',
    about: 'model that replies',
  },
  textToSpeechModel: {
    name: 'TEXT_TO_SPEECH_MODEL',
    read: someText,
    otherwise: 'gpt-4o-mini-tts',
    about: 'model for text to speech',
  },
  voice: {
    name: 'VOICE',
    read: someText,
    otherwise: 'ash',
    about: 'voice with which it speaks',
  },
  instructions: {
    name: 'INSTRUCTIONS',
    read: someText,
    otherwise:
      'You are in a voice call. Answer in one or two short sentences, in plain words, without lists or markup.',
    about: 'what the language model is told about its task',
  },
  failureNotice: {
    name: 'FAILURE_NOTICE',
    read: someText,
    otherwise: 'Sorry, something went wrong on my side. Please try again in a moment.',
    about: 'what the caller is told when one of the models fails',
  },
} as const satisfies Variables;

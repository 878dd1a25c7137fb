import { liveKitSettings } from './livekit-settings.ts';
import {
  domain,
  flag,
  imageReference,
  oneOf,
  secretArn,
  secretReference,
  text,
  variables,
  whole,
} from './readers.ts';
import { cacheNodeType, fargateCpus } from './sizes.ts';

const model = (purpose: string) =>
  text(/^[\w./:-]{1,128}$/, 'be the name of a model', 'copy it from the API’s documentation').describe(
    `Model ${purpose}. Without it, the one in livekit/agent/agent-variables.ts.`,
  );

const image = (name: string) =>
  text(
    imageReference,
    `be an image reference such as 123456789012.dkr.ecr.us-east-1.amazonaws.com/${name}`,
    'write registry/name:tag, without https://',
  );

/** The knobs of calls: LiveKit, TURN and the voice agent. */
export const callKnobs = {
  liveKitNodes: whole(0, 50, 'take 0 without LiveKit, 2 or more with it').describe(
    'LiveKit nodes at least. With 0, there are no calls. With 1, to try it, a node that fails takes all calls with it for minutes, and synth warns.',
  ),
  liveKitCapacity: oneOf(['ec2', 'fargate'], 'take fargate to try, ec2 for users').describe(
    'What the nodes run on. `ec2`: a host for each node, with large buffers for media and as much time as needed for the calls of a node that ends. `fargate`: no hosts to maintain, small buffers, and at most 120 seconds for calls that are not protected. Changing it replaces the nodes and ends their calls.',
  ),
  liveKitInstanceType: text(
    /^[a-z]\d[a-z0-9-]*\.[a-z0-9]+$/,
    'be an EC2 instance type such as c7g.xlarge',
    'take c7g.xlarge',
  ).describe('Instance type of LiveKit’s hosts, for `liveKitCapacity` ec2.'),
  liveKitCpu: whole(512, 16384, `take one of ${fargateCpus}, from 512 on`).describe(
    'CPU of a LiveKit task in units of 1/1024 vCPU, for `liveKitCapacity` fargate.',
  ),
  liveKitMemoryMiB: whole(1024, 122880, 'take a size that Fargate sells with this `liveKitCpu`').describe(
    'Memory of a LiveKit task in MiB, for `liveKitCapacity` fargate.',
  ),
  liveKitMaxNodes: whole(1, 50, 'take more than `liveKitNodes` to scale, or remove it')
    .optional()
    .describe(
      'LiveKit nodes at most. Above `liveKitNodes`, they scale on CPU. A deployment needs twice as many.',
    ),
  liveKitCacheNodeType: cacheNodeType('take cache.t4g.small, or remove it')
    .optional()
    .describe(
      'Node type of LiveKit’s own cache, which it has if `cacheShards` is 3 or more. Without it, cache.t4g.small, or `cacheNodeType` if that is burstable. While a deployed stack moves to shards, name the type that the single node has: RUNBOOK.md, “Several shards instead of one node, or back”.',
    ),
  liveKitKeyVersion: whole(1, 100_000, 'count up by one for each rotation').describe(
    'Version of LiveKit’s API key; add 1 to rotate its secret, and never skip one. Nodes accept the previous, the current and the next version, and everything signs with the current one: RUNBOOK.md, “Rotate LiveKit’s key”.',
  ),
  liveKitImageUri: text(
    imageReference,
    'be an image reference such as livekit/livekit-server:v1.13.5@sha256:…',
    'write registry/name:tag, without https://',
  )
    .optional()
    .describe(
      'Image of livekit-server. Without it, LiveKit’s own of the version that was tested, which a deployment copies into the account’s ECR.',
    ),
  liveKitSettings: liveKitSettings
    .optional()
    .describe(
      'Limits and timeouts of LiveKit’s rooms, and more receivers of its events, beside what the stack sets in LiveKit’s configuration, as an object.',
    ),
  sidecarImageUri: image('sidecar:1.2.3')
    .optional()
    .describe(
      'Image of the sidecar that protects calls, for pipelines that build it once. Without it, the image is built from livekit/sidecar/Dockerfile.',
    ),
  maxCallDrainMinutes: whole(1, 150, 'take 60').describe(
    'Minutes for which a LiveKit node or a task of the voice agent may keep its calls after a deployment has superseded it.',
  ),
  liveKitStopMinutes: whole(1, 149, 'take 10').describe(
    'Minutes between SIGTERM and SIGKILL of a LiveKit node, for calls that were not protected. Fargate allows at most 2.',
  ),
  turn: flag('take false to pay for no second load balancer').describe(
    'TURN over TLS on port 443, for users whose network lets out nothing but HTTPS: a network load balancer, about $29 a month. It needs `liveKitNodes` and a `domainName`.',
  ),
  turnDomainName: text(
    domain,
    'be a domain name such as turn.example.com',
    'write it in lower case, another one than `domainName`',
  )
    .optional()
    .describe(
      'Domain name of TURN over TLS. Without it, `turn.` in front of `domainName` if there is a `hostedZoneId`. With a `certificateArn` only, it must be set, and the certificate must cover it.',
    ),
  agentTasks: whole(0, 50, 'take 2, or 0 for no agent').describe(
    'Tasks of the voice agent at least, if there is LiveKit. With 0, there is no agent.',
  ),
  agentMaxTasks: whole(1, 50, 'take more than `agentTasks` to scale, or remove it')
    .optional()
    .describe('Tasks of the voice agent at most. Above `agentTasks`, they scale on calls and CPU.'),
  agentCallsPerTask: whole(1, 100, 'take 3').describe(
    'Average number of calls of a task at which the voice agent scales.',
  ),
  agentImageUri: image('agent:1.2.3')
    .optional()
    .describe(
      'Image of the voice agent: this repository’s, built once by a pipeline, or any worker of LiveKit Agents, in Python too. It gets `LIVEKIT_URL`, `LIVEKIT_API_KEY`, `LIVEKIT_API_SECRET` and `LIVEKIT_AGENT_NAME`, and must serve its health and `/worker` on port 8081, as those workers do. Without it, the image is built from livekit/agent/Dockerfile.',
    ),
  agentHealthCommand: text(
    /^[^\0]{1,2000}$/,
    'be a shell command',
    'write one that ends with 0 while http://127.0.0.1:8081/ responds with 200',
  )
    .optional()
    .describe(
      'Shell command by which ECS checks a task of `agentImageUri`. Without it, that of this repository’s agent, which needs Node in the image.',
    ),
  agentReadOnlyRoot: flag(
    'take false for a worker that writes files, as those in Python do in /tmp',
  ).describe(
    'The voice agent’s container can’t write its file system. This repository’s agent writes no files.',
  ),
  agentEnvironment: variables(/^[^\0]*$/, 'text', 'write the names that the worker reads')
    .optional()
    .describe('More environment variables of the voice agent, as an object. They are no secrets.'),
  agentSecrets: variables(
    secretReference,
    'the whole ARN of a secret, with its six last characters',
    'add :field to the ARN for a field of its JSON',
  )
    .optional()
    .describe(
      'Environment variables of the voice agent that are secrets, as an object: the variable, and the ARN of the secret, or ARN:field for a field of its JSON.',
    ),
  agentMode: oneOf(['echo', 'voice'], 'take echo to try, which needs no key').describe(
    'What the voice agent does. `echo`: it repeats what it hears. `voice`: it listens, thinks and speaks with the models of an API that speaks OpenAI’s protocol.',
  ),
  voiceApiSecretArn: secretArn()
    .optional()
    .describe('Secret that consists of the API’s key, for `agentMode` voice.'),
  voiceApiUrl: text(
    /^https:\/\/[^/\s:]+(:443)?(\/\S*)?$/,
    'be an https URL on port 443',
    'write it as the API’s documentation does, such as https://api.example.com/v1',
  )
    .optional()
    .describe('URL of the API. Without it, OpenAI’s. The agent’s tasks reach port 443 only.'),
  voiceSpeechToTextModel: model('for speech to text').optional(),
  voiceLanguageModel: model('that replies').optional(),
  voiceTextToSpeechModel: model('for text to speech').optional(),
  voiceName: text(/^\S{1,64}$/, 'be one word', 'copy it from the API’s list of voices')
    .optional()
    .describe('Voice with which the agent speaks.'),
  voiceInstructions: text(/^[^\0]{1,4000}$/, 'be 1 to 4,000 characters', 'say in plain words who it is')
    .optional()
    .describe('What the language model is told about its task.'),
};

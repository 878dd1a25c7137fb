import { fargateCpus } from './fargate-sizes.ts';
import { domain, imageReference } from './patterns.ts';
import { flag, oneOf, secretArn, text, whole } from './readers.ts';

const model = (purpose: string) =>
  text(/^[\w./:-]{1,128}$/, 'be the name of a model', 'copy it from the API’s documentation').describe(
    `Model ${purpose}; else the one that livekit/agent/environment.ts names.`,
  );

/** The knobs of calls: LiveKit and the voice agent. */
export const callKnobs = {
  liveKitNodes: whole(0, 50, 'take 0 without LiveKit, 2 or more with it').describe(
    'LiveKit nodes at least; 0: no calls.',
  ),
  liveKitCapacity: oneOf(['ec2', 'fargate'], 'take fargate to try, ec2 for users').describe(
    'What the nodes run on. `ec2`: a host each, with buffers for media and as much time for the calls of a node that ends as they want. `fargate`: no hosts to keep, small buffers, 120 seconds at most for calls that nothing protects. Changing it replaces the nodes, with their calls.',
  ),
  liveKitInstanceType: text(
    /^[a-z]\d[a-z0-9-]*\.[a-z0-9]+$/,
    'be an EC2 instance type such as c7g.xlarge',
    'take c7g.xlarge',
  ).describe('Instance type of LiveKit’s hosts, where `liveKitCapacity` is ec2.'),
  liveKitCpu: whole(512, 16384, `take one of ${fargateCpus}, from 512 on`).describe(
    'CPU of a LiveKit task in units of 1/1024 vCPU, where `liveKitCapacity` is fargate.',
  ),
  liveKitMemoryMiB: whole(1024, 122880, 'take a size that Fargate sells with this `liveKitCpu`').describe(
    'Memory of a LiveKit task in MiB, where `liveKitCapacity` is fargate.',
  ),
  liveKitMaxNodes: whole(1, 50, 'take more than `liveKitNodes` to scale, or remove it')
    .optional()
    .describe(
      'LiveKit nodes at most. Above `liveKitNodes`, they scale on CPU; a deployment takes twice as many.',
    ),
  liveKitImageUri: text(
    imageReference,
    'be an image reference such as livekit/livekit-server:v1.13.5@sha256:…',
    'write registry/name:tag, without https://',
  )
    .optional()
    .describe(
      'Image of livekit-server in place of LiveKit’s own of the version that this was tried with, which a deployment copies into the account’s ECR.',
    ),
  maxCallDrainMinutes: whole(1, 150, 'take 60').describe(
    'Minutes for which a LiveKit node, or a voice agent, that a deployment replaces may keep its calls.',
  ),
  liveKitStopMinutes: whole(1, 149, 'take 10').describe(
    'Minutes between SIGTERM and SIGKILL of a LiveKit node, for calls that were not protected; 2 at most on Fargate.',
  ),
  turn: flag('take false to pay for no second load balancer').describe(
    'TURN over TLS on port 443, the way into calls from networks that let nothing but HTTPS out: a network load balancer, about $29 a month. Only where there are `liveKitNodes` and a `domainName`.',
  ),
  turnDomainName: text(
    domain,
    'be a domain name such as turn.example.com',
    'write it in lower case, another one than `domainName`',
  )
    .optional()
    .describe(
      'Name of TURN over TLS. Else `turn.` before `domainName`, where `hostedZoneId` is known; with a `certificateArn` alone it must be named, and the certificate must cover it.',
    ),
  agentTasks: whole(0, 50, 'take 2, or 0 for no agent').describe(
    'Tasks of the voice agent at least, where there is LiveKit; 0: no agent.',
  ),
  agentMaxTasks: whole(1, 50, 'take more than `agentTasks` to scale, or remove it')
    .optional()
    .describe('Tasks of the voice agent at most. Above `agentTasks`, they scale on calls and CPU.'),
  agentCallsPerTask: whole(1, 100, 'take 3').describe(
    'Calls that a task of the voice agent is to have on average when they scale.',
  ),
  agentMode: oneOf(['echo', 'voice'], 'take echo to try, which needs no key').describe(
    'What the voice agent does. `echo`: it says what it hears. `voice`: it listens, thinks and speaks by the models of an API that speaks OpenAI’s protocol.',
  ),
  voiceApiSecretArn: secretArn()
    .optional()
    .describe('Secret that holds the key of the models’ API, for `agentMode` voice.'),
  voiceApiUrl: text(
    /^https:\/\/[^/\s:]+(:443)?(\/\S*)?$/,
    'be an https URL on port 443',
    'write it as the API’s documentation does, such as https://api.example.com/v1',
  )
    .optional()
    .describe('Where the models’ API is; else OpenAI. The agent’s tasks reach port 443 alone.'),
  voiceSpeechToTextModel: model('of speech to text').optional(),
  voiceLanguageModel: model('that answers').optional(),
  voiceTextToSpeechModel: model('of text to speech').optional(),
  voiceName: text(/^\S{1,64}$/, 'be one word', 'copy it from the API’s list of voices')
    .optional()
    .describe('Voice that it speaks with.'),
  voiceInstructions: text(/^[^\0]{1,4000}$/, 'be 1 to 4,000 characters', 'say in plain words who it is')
    .optional()
    .describe('What the model is told of its task.'),
};

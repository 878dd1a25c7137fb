import { defaultCallDrainMinutes } from '../config/call-drain.ts';
import { sharedFolder } from '../config/container.ts';
import {
  anyText,
  numberBetween,
  oneOf,
  RuleError,
  someText,
  urlOf,
  type Variables,
} from '../config/variables.ts';

/** What the sidecar takes from a node's own configuration. */
export interface NodeConfig {
  readonly prometheus: { readonly port: number };
  readonly redis?: {
    readonly address: string;
    readonly username?: string;
    readonly db?: number;
    readonly tls?: { readonly ca_cert_file?: string };
  };
}

function nodeConfig(text: string): NodeConfig {
  const config = parsed(text);
  const { prometheus, redis } = (config ?? {}) as Partial<NodeConfig>;
  const isRendered =
    Number.isInteger(prometheus?.port) && (redis === undefined || /:\d+$/.test(String(redis.address)));
  if (!isRendered) throw new RuleError('must be JSON, as livekit/config renders it');
  return config as NodeConfig;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const onEcs = 'this runs beside a container on Amazon ECS';

/** The environment of the sidecar: every variable that it reads. */
export const sidecarVariables = {
  liveKitConfig: {
    name: 'LIVEKIT_CONFIG',
    read: nodeConfig,
    about:
      "the node's own configuration, as `livekit/config` renders it: it names the node's metrics and its Redis",
    isSecret: true,
  },
  redisPassword: {
    name: 'REDIS_PASSWORD',
    read: anyText,
    about: "the node's Redis password",
    isSecret: true,
  },
  agentWorkerUrl: {
    name: 'AGENT_WORKER_URL',
    read: urlOf('http', 'https'),
    about:
      'for a voice agent in place of a node: the URL of its worker, such as `http://127.0.0.1:8081/worker`',
  },
  maxCallDrainMinutes: {
    name: 'MAX_CALL_DRAIN_MINUTES',
    read: numberBetween(1, 150),
    otherwise: defaultCallDrainMinutes,
    about: 'minutes for which a superseded task may keep its calls',
  },
  maxProtectionHours: {
    name: 'MAX_PROTECTION_HOURS',
    read: numberBetween(1, 720),
    otherwise: 24,
    about: 'hours after which a task that was never empty is no longer protected',
  },
  checkSeconds: {
    name: 'CHECK_SECONDS',
    read: numberBetween(0.05, 60),
    otherwise: 5,
    about: 'seconds between two checks',
  },
  statusSeconds: {
    name: 'STATUS_SECONDS',
    read: numberBetween(0.05, 300),
    otherwise: 12,
    about: 'seconds, about, between two questions to ECS',
  },
  steadySeconds: {
    name: 'STEADY_SECONDS',
    read: numberBetween(0, 3_600),
    // A node that never gets healthy is replaced after at most seven minutes: 120 s of grace, and ten failed checks of 30 s.
    otherwise: 480,
    about:
      'seconds for which all tasks of a deployment must have run without a failure before the old ones drain',
  },
  reportSeconds: {
    name: 'REPORT_SECONDS',
    read: numberBetween(0.05, 300),
    otherwise: 60,
    about: 'seconds between two reports of metrics',
  },
  emfNamespace: {
    name: 'EMF_NAMESPACE',
    read: someText,
    about: 'CloudWatch namespace of the metrics in the log; else there are none',
  },
  deployment: {
    name: 'DEPLOYMENT',
    read: someText,
    otherwise: 'realtime',
    about: 'value of the dimension `Deployment`',
  },
  folder: {
    name: 'NODE_FOLDER',
    read: someText,
    otherwise: sharedFolder.path,
    about: 'the folder that is shared with the container that the sidecar watches (`config/container.ts`)',
  },
  publicAddress: {
    name: 'PUBLIC_ADDRESS',
    read: oneOf('imds', 'checkip', 'none'),
    otherwise: 'imds',
    about:
      "where the node's public address comes from, which the sidecar writes into the folder. `imds`: the EC2 host's metadata service. `checkip`: AWS's page that returns the caller's address, for Fargate. `none`: something else writes it",
  },
  region: {
    name: 'AWS_REGION',
    read: someText,
    required: 'agents of EC2 hosts may not set it',
    about: 'region of the cluster',
  },
  ecsAgentUri: {
    name: 'ECS_AGENT_URI',
    read: urlOf('http', 'https'),
    required: onEcs,
    about: 'set by Amazon ECS in each container: where tasks are protected',
  },
  metadataUri: {
    name: 'ECS_CONTAINER_METADATA_URI_V4',
    read: urlOf('http', 'https'),
    required: onEcs,
    about: 'set by Amazon ECS in each container: where the task asks for its own state',
  },
} as const satisfies Variables;

import { z } from 'zod';
import { defaultCallDrainMinutes } from '../config/call-drain.ts';
import { nodeFiles } from '../config/entrypoint.ts';
import { sidecarEnvironment as names, type WatchedService, watchedService } from './names.ts';

/** All that the sidecar takes from its environment. */
export interface SidecarSettings {
  readonly service: WatchedService;
  /** Where participants, or jobs, are told. */
  readonly loadUrl: string;
  /** Undefined: it is no node of several. */
  readonly redis: SidecarRedis | undefined;
  readonly ecsAgentUri: string;
  readonly metadataUri: string;
  readonly maxCallDrainMs: number;
  readonly maxProtectionMs: number;
  readonly checkMs: number;
  readonly reportMs: number;
  readonly emfNamespace: string | undefined;
  readonly deployment: string;
  readonly folder: string;
  /** Who is asked for the node's public address. Undefined: nobody. */
  readonly addressSource: 'imds' | 'checkip' | undefined;
}

export interface SidecarRedis {
  readonly host: string;
  readonly port: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly db: number;
  readonly tls: { readonly caFile: string | undefined } | undefined;
}

const nodeConfig = z.object({
  prometheus: z.object({ port: z.int() }),
  redis: z
    .object({
      address: z.string().regex(/:\d+$/),
      username: z.string().optional(),
      db: z.int().default(0),
      tls: z.object({ ca_cert_file: z.string().optional() }).optional(),
    })
    .optional(),
});

const json = z.string().transform((text, context) => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    context.addIssue('must be JSON, as livekit/config renders it');
    return z.NEVER;
  }
});

const number = (least: number, most: number) => z.coerce.number().min(least).max(most);

const schema = z.object({
  [names.liveKitConfig]: json.pipe(nodeConfig).optional(),
  [names.redisPassword]: z.string().optional(),
  [names.agentWorkerUrl]: z.url().optional(),
  [names.maxCallDrainMinutes]: number(1, 150).default(defaultCallDrainMinutes),
  [names.maxProtectionHours]: number(1, 720).default(24),
  [names.checkSeconds]: number(0.05, 60).default(5),
  [names.reportSeconds]: number(0.05, 300).default(60),
  [names.emfNamespace]: z.string().min(1).optional(),
  [names.deployment]: z.string().min(1).default('realtime'),
  [names.folder]: z.string().min(1).default(nodeFiles.folder),
  [names.publicAddress]: z.enum(['imds', 'checkip', 'none']).default('imds'),
  ECS_AGENT_URI: z.url('must be set: this runs beside a container on Amazon ECS'),
  ECS_CONTAINER_METADATA_URI_V4: z.url('must be set: this runs beside a container on Amazon ECS'),
});

/** @throws Error that lists every fault; no value is told */
export function readSettings(variables: NodeJS.ProcessEnv): SidecarSettings {
  const parsed = schema.safeParse(variables);
  const faults = (parsed.error?.issues ?? []).map(({ path, message }) => `  ${path.join('.')} ${message}`);
  const watched = [names.liveKitConfig, names.agentWorkerUrl].filter((name) => variables[name] !== undefined);
  if (watched.length !== 1) {
    faults.push(
      `  one of ${names.liveKitConfig} and ${names.agentWorkerUrl} must be set, got: ${watched.length}`,
    );
  }
  if (!parsed.success || faults.length > 0) {
    throw new Error(`The environment can't be used:\n${faults.join('\n')}`);
  }
  const value = parsed.data;
  const { [names.liveKitConfig]: config, [names.publicAddress]: source } = value;
  return {
    service: config ? watchedService.node : watchedService.agent,
    loadUrl: config
      ? `http://127.0.0.1:${config.prometheus.port}/metrics`
      : (value[names.agentWorkerUrl] as string),
    redis: config?.redis && redisOf(config.redis, value[names.redisPassword]),
    ecsAgentUri: value.ECS_AGENT_URI,
    metadataUri: value.ECS_CONTAINER_METADATA_URI_V4,
    maxCallDrainMs: value[names.maxCallDrainMinutes] * 60_000,
    maxProtectionMs: value[names.maxProtectionHours] * 3_600_000,
    checkMs: value[names.checkSeconds] * 1_000,
    reportMs: value[names.reportSeconds] * 1_000,
    emfNamespace: value[names.emfNamespace],
    deployment: value[names.deployment],
    folder: value[names.folder],
    addressSource: config === undefined || source === 'none' ? undefined : source,
  };
}

function redisOf(
  { address, username, db, tls }: NonNullable<z.infer<typeof nodeConfig>['redis']>,
  password: string | undefined,
): SidecarRedis {
  const colon = address.lastIndexOf(':');
  return {
    host: address.slice(0, colon).replace(/^\[|\]$/g, ''),
    port: Number(address.slice(colon + 1)),
    username,
    password,
    db,
    tls: tls && { caFile: tls.ca_cert_file },
  };
}

import { readVariables, rule, type VariableRule } from '../config/variables.ts';
import { sidecarEnvironment as names, watchedService } from './names.ts';
import { type NodeConfig, sidecarVariables } from './sidecar-variables.ts';

/** The settings of the sidecar, from its environment. */
export type SidecarSettings = ReturnType<typeof readSettings>;

export interface SidecarRedis {
  readonly host: string;
  readonly port: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly db: number;
  readonly tls: { readonly caFile: string | undefined } | undefined;
}

const rules: readonly VariableRule<typeof sidecarVariables>[] = [
  rule(['liveKitConfig', 'agentWorkerUrl'], ({ liveKitConfig, agentWorkerUrl }) => {
    const watched = [liveKitConfig, agentWorkerUrl].filter((value) => value !== undefined).length;
    return (
      watched !== 1 &&
      `one of ${names.liveKitConfig} and ${names.agentWorkerUrl} must be set, got: ${watched}`
    );
  }),
];

/** @throws EnvironmentError that lists every fault; values of secrets are not shown */
export function readSettings(variables: NodeJS.ProcessEnv) {
  const values = readVariables(sidecarVariables, rules, variables);
  const { liveKitConfig: config, publicAddress, emfNamespace, deployment, folder } = values;
  return {
    ...{ emfNamespace, deployment, folder, ecsAgentUri: values.ecsAgentUri, metadataUri: values.metadataUri },
    service: config ? watchedService.node : watchedService.agent,
    /** URL that reports the participants of a node, or the jobs of an agent. */
    loadUrl: config
      ? `http://127.0.0.1:${config.prometheus.port}/metrics`
      : (values.agentWorkerUrl as string),
    /** Undefined: the node is the only one, or an agent is watched. */
    redis: config?.redis && redisOf(config.redis, values.redisPassword),
    maxCallDrainMs: values.maxCallDrainMinutes * 60_000,
    maxProtectionMs: values.maxProtectionHours * 3_600_000,
    checkMs: values.checkSeconds * 1_000,
    statusMs: values.statusSeconds * 1_000,
    steadyMs: values.steadySeconds * 1_000,
    reportMs: values.reportSeconds * 1_000,
    /** Where the node's public address comes from. Undefined: from nowhere. */
    addressSource: config === undefined || publicAddress === 'none' ? undefined : publicAddress,
  };
}

function redisOf(
  { address, username, db = 0, tls }: NonNullable<NodeConfig['redis']>,
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

import type { Logger } from 'pino';
import type { Environment } from '../environment.ts';
import type { OpenHub } from '../hubs/open.ts';
import { HeldDuty } from '../leases/duty.ts';
import type { Backplane } from '../redis/backplane.ts';
import { resolveRedisSetting } from '../redis/setting/source.ts';
import { serviceVariables } from '../service-variables.ts';
import { EnvironmentError } from '../variables.ts';
import type { BridgedNamespace } from './emission.ts';
import { EmitterBridge, emitterBridgeName } from './emitter/bridge.ts';
import { HubBridge, type HubBridgeOptions } from './hub-bridge.ts';
import { PythonBridge, pythonBridgeName } from './python-socketio/bridge.ts';

export interface BridgesOptions {
  readonly environment: Pick<Environment, 'backplane' | 'bridges' | 'deployment' | 'instanceId'>;
  readonly hubs: readonly OpenHub[];
  readonly backplane: Pick<Backplane, 'links'>;
  readonly log: Logger;
}

export interface Bridges {
  close(): Promise<void>;
}

/** Messages of publishers that go to nobody's log when an instance dies: those of so many milliseconds, and a third more. */
const dutyLastsMs = 3_000;

/**
 * Opens the bridges that the environment names.
 * @throws EnvironmentError for a namespace that is no hub's, RedisSettingError when the setting can't be read
 */
export async function openBridges({ environment, hubs, backplane, log }: BridgesOptions): Promise<Bridges> {
  const { bridges, deployment, instanceId: instance } = environment;
  const { python, emitter, redis: sources } = bridges;
  if (!python && !emitter) return { close: async () => undefined };
  const found = await resolveRedisSetting(sources);
  if (found.kind === 'none') {
    log.warn(`bridges: none (${found.source}); what other programs emit is not heard`);
    return { close: async () => undefined };
  }
  const duty = new HeldDuty({
    ...{ links: backplane.links, deployment, instance, name: 'bridges', lastsMs: dutyLastsMs },
    servesAlone: environment.backplane === 'preferred',
  });
  const hubsOf = (name: string, variable: string, namespaces: readonly BridgedNamespace[]) =>
    bridgedHubs(namespaces, { name, variable, hubs, log, isOnDuty: () => duty.isMine });
  const shared = { sources, deployment, instance, log };
  const opened = [
    python &&
      new PythonBridge({
        ...shared,
        ...python,
        hubs: hubsOf(pythonBridgeName, serviceVariables.pythonSocketio.name, python.namespaces),
      }),
    emitter &&
      new EmitterBridge({
        ...shared,
        ...emitter,
        hubs: hubsOf(emitterBridgeName, serviceVariables.emitter.name, emitter.namespaces),
      }),
  ].filter((bridge) => bridge !== undefined);
  return {
    close: async () => {
      await duty.close();
      await Promise.all(opened.map((bridge) => bridge.close()));
    },
  };
}

interface BridgedHubsOptions extends Omit<HubBridgeOptions, 'hub' | 'mode'> {
  readonly hubs: readonly OpenHub[];
  /** Where the namespaces are listed. */
  readonly variable: string;
}

function bridgedHubs(
  namespaces: readonly BridgedNamespace[],
  { hubs, variable, ...shared }: BridgedHubsOptions,
): ReadonlyMap<string, HubBridge> {
  return new Map(
    namespaces.map(({ namespace, mode }) => {
      const hub = hubs.find((each) => each.namespace === namespace);
      if (hub) return [namespace, new HubBridge({ ...shared, hub, mode })];
      const known = hubs.map((each) => each.namespace).join(', ');
      const more = namespace === '/' ? `, or set ${serviceVariables.mainHub.name}=true` : '';
      throw new EnvironmentError(
        `The environment can't be used:\n  ${variable} names ${namespace}, which is no hub's namespace: name one of ${known}${more}`,
      );
    }),
  );
}

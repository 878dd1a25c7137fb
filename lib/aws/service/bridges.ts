import { environmentNames as names } from '../../../app/names.ts';
import { type BridgedChannels, bridgedChannels } from '../../../app/server/redis/acl.ts';
import { bridgeVariables } from '../../../app/server/service-variables.ts';
import { readVariables } from '../../../app/server/variables.ts';

/** As the service's variables of these names (app/server/service-variables.ts); its defaults hold for what is undefined. */
export interface BridgesConfig {
  /**
   * Namespaces joined to python-socketio: `/=emit,/bots=publish`.
   * @default - none
   */
  readonly python?: string;

  /** @default - socketio */
  readonly pythonChannel?: string;

  /** @default - 5.15.1 or newer */
  readonly pythonVersion?: string;

  /**
   * Namespaces that hear emitters, in the same form.
   * @default - none
   */
  readonly emitter?: string;

  /** @default - socket.io */
  readonly emitterPrefix?: string;
}

/** The service's variables of the bridges; what is undefined is not set. */
export function environmentOfBridges(bridges: BridgesConfig) {
  return {
    [names.pythonSocketio]: bridges.python,
    [names.pythonSocketioChannel]: bridges.pythonChannel,
    [names.pythonSocketioVersion]: bridges.pythonVersion,
    [names.emitter]: bridges.emitter,
    [names.emitterPrefix]: bridges.emitterPrefix,
  };
}

/** What the bridges may hear, as the service will read it. */
export function channelsOf(bridges: BridgesConfig): BridgedChannels | undefined {
  return bridgedChannels(readVariables(bridgeVariables, [], environmentOfBridges(bridges)));
}

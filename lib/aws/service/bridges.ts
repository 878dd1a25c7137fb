import type { BridgedChannels } from '../../../app/server/redis/acl.ts';
import { serviceVariables } from '../../../app/server/service-variables.ts';

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

/** What the bridges may hear, as the service will read it. */
export function channelsOf({
  python,
  pythonChannel,
  emitter,
  emitterPrefix,
}: BridgesConfig): BridgedChannels {
  return {
    python: python && (pythonChannel ?? serviceVariables.pythonSocketioChannel.otherwise),
    emitter:
      emitter === undefined
        ? undefined
        : {
            prefix: emitterPrefix ?? serviceVariables.emitterPrefix.otherwise,
            namespaces: serviceVariables.emitter.read(emitter).map(({ namespace }) => namespace),
          },
  };
}

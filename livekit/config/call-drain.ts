/** Minutes for which a superseded node may keep its calls, unless told otherwise. */
export const defaultCallDrainMinutes = 60;

/** CloudFormation gives up after three hours; half an hour is for the new nodes to come up. */
export const mostDrainMinutes = 150;

export interface CallDrain {
  /** Minutes after which a superseded node's protection is lifted, whoever is in a call. */
  readonly maxCallDrainMinutes: number;
  /** Minutes between SIGTERM and SIGKILL. */
  readonly stopTimeoutMinutes: number;
}

/** @returns what is wrong with it, in words; undefined: nothing */
export function callDrainFault({ maxCallDrainMinutes, stopTimeoutMinutes }: CallDrain): string | undefined {
  const sum = maxCallDrainMinutes + stopTimeoutMinutes;
  if (!(maxCallDrainMinutes >= 1))
    return `\`maxCallDrain\` must be 1 minute or more, got: ${maxCallDrainMinutes}`;
  if (sum <= mostDrainMinutes) return undefined;
  return `\`maxCallDrain\` and the stop timeout must be at most ${mostDrainMinutes} minutes together, got: ${maxCallDrainMinutes} + ${stopTimeoutMinutes}; CloudFormation gives up after three hours`;
}

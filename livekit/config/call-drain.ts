/** Default for the minutes for which a superseded task may keep its calls. */
export const defaultCallDrainMinutes = 60;

/** CloudFormation gives up after three hours, and new tasks need up to half an hour to start. */
export const mostDrainMinutes = 150;

export interface CallDrain {
  /** Minutes after which a superseded task is no longer protected, even if it has calls. */
  readonly maxCallDrainMinutes: number;
  /** Minutes between SIGTERM and SIGKILL. */
  readonly stopTimeoutMinutes: number;
}

/** @returns a sentence that says what is wrong; undefined if nothing is */
export function callDrainFault({ maxCallDrainMinutes, stopTimeoutMinutes }: CallDrain): string | undefined {
  const sum = maxCallDrainMinutes + stopTimeoutMinutes;
  if (!(maxCallDrainMinutes >= 1))
    return `\`maxCallDrain\` must be 1 minute or more, got: ${maxCallDrainMinutes}`;
  if (sum <= mostDrainMinutes) return undefined;
  return `\`maxCallDrain\` and the stop timeout must be at most ${mostDrainMinutes} minutes together, got: ${maxCallDrainMinutes} + ${stopTimeoutMinutes}; CloudFormation gives up after three hours`;
}

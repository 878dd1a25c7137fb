/**
 * A suite that this machine can't run. The run reports it at its end.
 * @param reason what is missing, and how to have it
 */
export function skipSuite(title: string, reason: string, suite: () => void): void {
  describe.skip(`${title} [skipped: ${reason}]`, suite);
}

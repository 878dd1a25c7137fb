/** Nothing can be checked; the message says why, and what to do. */
export class CannotDiagnoseError extends Error {
  override readonly name = 'CannotDiagnoseError';
}

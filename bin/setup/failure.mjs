/** Set-up that can't go on; the message says the cause and the fix. */
export class SetupFailure extends Error {}

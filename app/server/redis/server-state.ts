/**
 * Errors by which a server says what state it is in: it is full, can't save, has no replica, is one, or loads. They
 * concern everyone at once, so the heartbeat tells of them, and not each command that meets them.
 */
const states = ['OOM', 'MISCONF', 'NOREPLICAS', 'READONLY', 'LOADING', 'MASTERDOWN', 'CLUSTERDOWN', 'BUSY'];

export function saysState({ message }: Error): boolean {
  return states.includes(/^[A-Z]+/.exec(message)?.[0] ?? '');
}

/** What is a fault of ours, and for the log: an answer that says nothing of the server's state. */
export function faultIn(error: Error): Error | undefined {
  return error.name === 'ReplyError' && !saysState(error) ? error : undefined;
}

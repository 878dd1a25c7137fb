/** Bytes that may wait for one client, by default: past it, it is a slow consumer, and its connection is ended. */
export const maxWaitingBytes = 1_000_000;
/** What a packet that waits takes beside its bytes: objects of transports and Node. */
export const packetOverhead = 128;
/** An event that is not kept is for who reads at once: past so many bytes that wait, others go first. */
export const mostBeforeEvent = 65_536;

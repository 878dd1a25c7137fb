/** What Socket.IO's packets of a namespace start with: `42/chat,`. 4 is Engine.IO's message, 2 Socket.IO's event. */
function eventHead(namespace: string): string {
  return namespace === '/' ? '42' : `42${namespace},`;
}

/** The text of an `emit('message', …)` up to the message: `42/chat,["message",`. A bracket ends it. */
export function messagePrefix(namespace: string): string {
  return `${eventHead(namespace)}["message",`;
}

/** The text of any `emit(event, …args)` without binary. */
export function eventPacket(namespace: string, event: string, args: readonly unknown[]): string {
  return `${eventHead(namespace)}${JSON.stringify([event, ...args])}`;
}

/** The text of a JSON reply to a client's event: `43/chat,7[{…}]`. 3 is Socket.IO's acknowledgement. */
export function acknowledgement(namespace: string, packetId: number, reply: string): string {
  return `43${namespace === '/' ? '' : `${namespace},`}${packetId}[${reply}]`;
}

/** As its README says; the package has no types. */
declare module 'socket.io-emitter' {
  interface OldEmitter {
    of(namespace: string): OldEmitter;
    to(room: string): OldEmitter;
    emit(event: string, ...args: unknown[]): OldEmitter;
  }
  export default function emitter(client: { publish(channel: string, message: Buffer): unknown }): OldEmitter;
}

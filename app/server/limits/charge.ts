import type { Socket } from 'socket.io';
import { identityOf } from '../auth/identity.ts';
import { MethodRefusal } from '../rooms/answer.ts';
import type { Charge } from '../rooms/methods.ts';
import type { Limits } from './limits.ts';

/** The client's address, as far as proxies are believed. */
export type AddressOf = (socket: Socket) => string;

/** Counts what clients ask of rooms against their limits. */
export function chargeCalls(limits: Pick<Limits, 'publish' | 'join' | 'call'>, addressOf: AddressOf): Charge {
  return (socket, action) => {
    const identity = identityOf(socket);
    if (action === 'join') return refuseWithin(limits.join(identity));
    if (action === 'call') return refuseWithin(limits.call(identity));
    refuseWithin(limits.publish(identity, addressOf(socket)));
  };
}

/** Counts a prompt to a model. @throws MethodRefusal `rate_limited` */
export function chargeAsk(limits: Pick<Limits, 'ask'>, addressOf: AddressOf, socket: Socket): void {
  refuseWithin(limits.ask(identityOf(socket), addressOf(socket)));
}

function refuseWithin(waitMs: number | undefined): void {
  if (waitMs !== undefined) throw new MethodRefusal('rate_limited', `try again in ${waitMs} ms`);
}

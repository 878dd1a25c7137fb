import type { Socket } from 'socket.io';
import { identityOf } from '../auth/identity.ts';
import { addressOf } from '../http/client-address.ts';
import { MethodRefusal } from '../rooms/answer.ts';
import type { Charge } from '../rooms/methods.ts';
import type { Limits } from './limits.ts';

/** Counts what clients ask of rooms against their limits. */
export function chargeCalls(
  limits: Pick<Limits, 'publish' | 'join' | 'call'>,
  trustedProxyHops: number,
): Charge {
  return (socket, action) => {
    const identity = identityOf(socket);
    if (action === 'join') return refuseWithin(limits.join(identity));
    if (action === 'call') return refuseWithin(limits.call(identity));
    refuseWithin(limits.publish(identity, addressOf(socket, trustedProxyHops)));
  };
}

/** Counts a prompt to a model. @throws MethodRefusal `rate_limited` */
export function chargeAsk(limits: Pick<Limits, 'ask'>, socket: Socket, trustedProxyHops: number): void {
  refuseWithin(limits.ask(identityOf(socket), addressOf(socket, trustedProxyHops)));
}

function refuseWithin(waitMs: number | undefined): void {
  if (waitMs !== undefined) throw new MethodRefusal('rate_limited', `try again in ${waitMs} ms`);
}

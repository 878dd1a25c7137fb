/** Who relays a request, and whose it is. */
export interface Envelope {
  /** The instance that the client reached. */
  readonly from: string;
  /** The instance that is to answer. */
  readonly to: string;
  /** The address from which that instance was reached: the client's, or a proxy's. */
  readonly address: string;
}

const relayed = Symbol('relayed');
const leaving = Symbol('leaving');

interface MarkedRequest {
  [relayed]?: Envelope;
  [leaving]?: () => void;
}

/** From now on the request counts as one that another instance sent on. */
export function markRelayed(request: object, envelope: Envelope): void {
  (request as MarkedRequest)[relayed] = envelope;
}

/** @param handler called when the instance that relays this request leaves: its answer, if it can, ends in an orderly way */
export function onEntryLeaving(request: object, handler: () => void): void {
  if (relayedBy(request)) (request as MarkedRequest)[leaving] = handler;
}

/** The instance that relays this request leaves. @returns whether anybody sees to it */
export function entryLeaves(request: object): boolean {
  const handler = (request as MarkedRequest)[leaving];
  handler?.();
  return handler !== undefined;
}

/** Who sent this request on, and for whom; undefined where the client reached this instance itself. */
export function relayedBy(request: object): Envelope | undefined {
  return (request as MarkedRequest)[relayed];
}

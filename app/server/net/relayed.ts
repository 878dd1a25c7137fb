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

interface MarkedRequest {
  [relayed]?: Envelope;
}

/** From now on the request counts as one that another instance sent on. */
export function markRelayed(request: object, envelope: Envelope): void {
  (request as MarkedRequest)[relayed] = envelope;
}

/** Who sent this request on, and for whom; undefined where the client reached this instance itself. */
export function relayedBy(request: object): Envelope | undefined {
  return (request as MarkedRequest)[relayed];
}

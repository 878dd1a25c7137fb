/** Ports that a LiveKit node listens on. */
export interface LiveKitPorts {
  /** Signalling, the API and the health check: HTTP and WebSocket, from the load balancer. */
  readonly signalling: number;
  /** Media over TCP, where UDP is blocked. */
  readonly mediaTcp: number;
  /** First and last port of media over UDP: LiveKit reads each in a thread, so as many as a host has processors. */
  readonly mediaUdp: readonly [first: number, last: number];
  /** Metrics, for Prometheus and the sidecar; never public. */
  readonly prometheus: number;
}

/** Where a node has a host of its own. */
export const liveKitPorts: LiveKitPorts = {
  signalling: 7880,
  mediaTcp: 7881,
  mediaUdp: [7882, 7897],
  prometheus: 6789,
};

/** Ports of TURN; the relayed media itself leaves from `relay`. */
export const turnPorts = { udp: 3478, tls: 5349, relay: [30_000, 40_000] } as const;

/** Paths at the root that a load balancer sends to the nodes; none is the service's. */
export const liveKitPaths = ['/rtc', '/rtc/*', '/twirp/*', '/agent', '/whip/*'] as const;

/** Ports of a node that shares its machine with others; each has twenty of its own from `first` on. */
export function portsOfNode(index: number, first = 7880): LiveKitPorts {
  const own = first + index * 20;
  return { signalling: own, mediaTcp: own + 1, mediaUdp: [own + 2, own + 5], prometheus: own + 10 };
}

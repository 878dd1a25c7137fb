/** Ports that a LiveKit node listens on. */
export interface LiveKitPorts {
  /** HTTP and WebSocket, from the load balancer: signalling, the API and the health check. */
  readonly signalling: number;
  /** Media over TCP, for networks that block UDP. */
  readonly mediaTcp: number;
  /** First and last port of media over UDP. LiveKit reads each port in a thread: one for each processor of a host. */
  readonly mediaUdp: readonly [first: number, last: number];
  /** Metrics for Prometheus and the sidecar, never public. */
  readonly prometheus: number;
}

/** Ports of a node that has a host of its own. */
export const liveKitPorts: LiveKitPorts = {
  signalling: 7880,
  mediaTcp: 7881,
  mediaUdp: [7882, 7897],
  prometheus: 6789,
};

/** Ports of TURN. Relayed media is sent from the range `relay`. */
export const turnPorts = { udp: 3478, tls: 5349, relay: [30_000, 40_000] } as const;

/** Paths that a load balancer sends to the nodes. The service uses none of them. */
export const liveKitPaths = ['/rtc', '/rtc/*', '/twirp/*', '/agent', '/whip/*'] as const;

/** Ports of a node that shares its machine with other nodes. Each has a block of twenty, from `first` on. */
export function portsOfNode(index: number, first = 7880): LiveKitPorts {
  const block = first + index * 20;
  return {
    signalling: block,
    mediaTcp: block + 1,
    mediaUdp: [block + 2, block + 5],
    prometheus: block + 10,
  };
}

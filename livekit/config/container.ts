/**
 * The version of livekit-server whose configuration, Redis permissions and behaviour this folder describes.
 * `server/Dockerfile` names its image: Alpine, with `sh` and `nc`.
 */
export const liveKitVersion = '1.13.5';

/** The folder that the sidecar and the container that it watches share, and its files. */
export const sharedFolder = {
  path: '/node',
  /** The node's public address, as soon as it is known. */
  addressFile: 'ip',
  /** It exists as soon as the container is to accept no new rooms or calls. */
  drainFile: 'drain',
} as const;

/**
 * A script for the image's `sh` that the node's container runs in place of `livekit-server`. It starts the server when
 * the address is known, and passes on exactly one SIGTERM, whether ECS sent it or the file `drain` appeared. At the
 * first SIGTERM, LiveKit drains and exits when its last participant has left. At a second one it would end its calls.
 *
 * @param folder that the sidecar shares. @default '/node'
 * @param server command. @default '/livekit-server'
 */
export function nodeEntrypoint(folder: string = sharedFolder.path, server = '/livekit-server'): string {
  const address = `${folder}/${sharedFolder.addressFile}`;
  return [
    'draining=; server=',
    'drain() { [ -n "$draining" ] || [ -z "$server" ] || { draining=1; kill -TERM "$server"; }; }',
    `trap '[ -n "$server" ] || exit 0; drain' TERM INT`,
    `until [ -s ${address} ]; do sleep 1; done`,
    `NODE_IP=$(cat ${address}) ${server} & server=$!`,
    // `wait` also returns when a signal arrives. The server has ended only when its process id is gone.
    `while kill -0 "$server" 2>/dev/null; do`,
    `  [ ! -e ${folder}/${sharedFolder.drainFile} ] || drain`,
    '  sleep 1 & wait $!',
    'done',
    'wait "$server"',
  ].join('\n');
}

/**
 * The health check of a node's container. It checks the port only: `GET /` responds with 406 on every node as soon as
 * Redis is unavailable, and ECS would then end all nodes with their calls.
 */
export function nodeHealthCheck(port: number): string[] {
  return ['CMD-SHELL', `nc -z 127.0.0.1 ${port}`];
}

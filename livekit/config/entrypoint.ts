/** Files that the sidecar and a node's container share. */
export const nodeFiles = {
  folder: '/node',
  /** The node's public address, once it is known. */
  ip: 'ip',
  /** There as soon as the node is to take no new rooms. */
  drain: 'drain',
} as const;

/**
 * What the node's container runs in place of `livekit-server` itself, by the image's own `sh`: it starts the server
 * when the address is known, and hands over one SIGTERM, be it from ECS or for the file `drain`. A second one would
 * end the server with its calls: LiveKit drains at the first, and leaves when its last participant has.
 *
 * @param folder @default '/node'
 * @param server @default '/livekit-server'
 */
export function nodeEntrypoint(folder: string = nodeFiles.folder, server = '/livekit-server'): string {
  return [
    'told=; server=',
    'tell() { [ -n "$told" ] || [ -z "$server" ] || { told=1; kill -TERM "$server"; }; }',
    `trap '[ -n "$server" ] || exit 0; tell' TERM INT`,
    `until [ -s ${folder}/${nodeFiles.ip} ]; do sleep 1; done`,
    `NODE_IP=$(cat ${folder}/${nodeFiles.ip}) ${server} & server=$!`,
    // `wait` ends at a signal too; the server's own end is when nobody has its id any more.
    `while kill -0 "$server" 2>/dev/null; do`,
    `  [ ! -e ${folder}/${nodeFiles.drain} ] || tell`,
    '  sleep 1 & wait $!',
    'done',
    'wait "$server"',
  ].join('\n');
}

/** The version whose configuration, Redis permissions and behaviour this folder knows. */
export const liveKitVersion = '1.13.5';

/** On Docker Hub; Alpine, with `sh` and `nc`. */
export const liveKitImage = `livekit/livekit-server:v${liveKitVersion}`;

/**
 * A container's health check. The port alone: `GET /` is 406 on every node as soon as Redis is away, and ECS would end
 * them all, with their calls.
 */
export function nodeHealthCheck(port: number): string[] {
  return ['CMD-SHELL', `nc -z 127.0.0.1 ${port}`];
}

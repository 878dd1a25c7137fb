/**
 * The version whose configuration, Redis permissions and behaviour this folder knows. `server/Dockerfile` names its
 * image: Alpine, with `sh` and `nc`.
 */
export const liveKitVersion = '1.13.5';

/**
 * A container's health check. The port alone: `GET /` is 406 on every node as soon as Redis is away, and ECS would end
 * them all, with their calls.
 */
export function nodeHealthCheck(port: number): string[] {
  return ['CMD-SHELL', `nc -z 127.0.0.1 ${port}`];
}

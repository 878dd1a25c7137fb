const MiB = 1024 * 1024;

/** Burstable nodes have 0.5–3 GiB, and what waits for slow subscribers counts against them. */
const isSmall = (nodeType: string) => /^cache\.t\d/.test(nodeType);

/** Parameters of the cache, by name as ElastiCache spells them. */
export function cacheParameters(nodeType: string): Record<string, string> {
  // AWS's defaults for small nodes. A bigger one rides out a second in which an instance does not read; one that
  // is cut loses nothing, it subscribes again and reads the logs.
  const [hard, soft] = isSmall(nodeType) ? [32, 8] : [128, 32];
  return {
    'maxmemory-policy': 'noeviction',
    'client-output-buffer-limit-pubsub-hard-limit': String(hard * MiB),
    'client-output-buffer-limit-pubsub-soft-limit': String(soft * MiB),
    'client-output-buffer-limit-pubsub-soft-seconds': '60',
  };
}

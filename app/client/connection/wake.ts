/** How often the clock is read, in milliseconds. */
const lookEveryMs = 5_000;
/** If the clock differs from the elapsed time by more than this, it was set, or the machine slept; in milliseconds. */
const toleranceMs = 5_000;

/** Something that has events in pages and workers. Elsewhere it is missing, or has no events. */
interface EventSource {
  addEventListener?(event: string, listener: () => void): void;
  removeEventListener?(event: string, listener: () => void): void;
}

interface Surroundings extends EventSource {
  readonly document?: EventSource & { readonly visibilityState?: string };
  readonly navigator?: { readonly connection?: EventSource };
}

/**
 * Calls `onWake` when a connection may have died unnoticed: the machine slept, the page was hidden, or the network
 * changed. The clock shows a sleep on every platform. In pages and workers, events show it sooner.
 *
 * @returns stops watching
 */
export function watchWaking(onWake: () => void): () => void {
  const surroundings = globalThis as Surroundings;
  const stops = [
    watchClock(onWake),
    listen(surroundings, 'online', onWake),
    listen(surroundings, 'pageshow', onWake),
    listen(surroundings.document, 'visibilitychange', () => {
      if (surroundings.document?.visibilityState !== 'hidden') onWake();
    }),
    listen(surroundings.navigator?.connection, 'change', onWake),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

function watchClock(onWake: () => void): () => void {
  let lookedAt = Date.now();
  const timer = setInterval(() => {
    const passed = Date.now() - lookedAt;
    lookedAt += passed;
    if (Math.abs(passed - lookEveryMs) > toleranceMs) onWake();
  }, lookEveryMs);
  // In Node the timer must not keep the process alive. Elsewhere a timer is a number.
  (timer as { unref?(): void }).unref?.();
  return () => clearInterval(timer);
}

function listen(source: EventSource | undefined, event: string, listener: () => void): () => void {
  if (typeof source?.addEventListener !== 'function') return () => undefined;
  source.addEventListener(event, listener);
  return () => source.removeEventListener?.(event, listener);
}

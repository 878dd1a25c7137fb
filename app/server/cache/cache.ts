/** A cache that all instances share. Values are JSON; what it holds can be gone at any time. */
export interface Cache<T> {
  /** Never rejects: what can't be read is not there. */
  get(key: string): Promise<T | undefined>;
  /** Never rejects: what can't be kept is not kept. @param ttlMs milliseconds, from now on */
  set(key: string, value: T, ttlMs: number): Promise<void>;
  /** Gone here and in Redis; other instances may hold it for `localMs` more. */
  delete(key: string): Promise<void>;
  /**
   * What is kept, or else what `load` gives, kept for so long. Calls for the same key at the same time share one
   * `load` on this instance.
   *
   * @throws what `load` throws; nothing is kept of it
   */
  remember(key: string, ttlMs: number, load: () => Promise<T>): Promise<T>;
}

/** @returns keeps what a file's tests start, and stops it behind the last of them, the newest first */
export function stoppedAfterwards(): <T extends { stop(): Promise<void> }>(
  starting: T | Promise<T>,
) => Promise<T> {
  const started: { stop(): Promise<void> }[] = [];
  afterAll(async () => {
    for (const one of started.splice(0).reverse()) await one.stop();
  });
  return async (starting) => {
    const one = await starting;
    started.push(one);
    return one;
  };
}

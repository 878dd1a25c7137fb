/** Tests that wait for long each: all of them begin with the first, and each one's end is its own test. */
export function testSideBySide(cases: Readonly<Record<string, () => Promise<void>>>): void {
  const running = new Map<string, Promise<void>>();
  beforeAll(() => {
    for (const [name, run] of Object.entries(cases)) {
      const ended = run();
      // Its own test reports it, which may begin later.
      ended.catch(() => undefined);
      running.set(name, ended);
    }
  });
  test.each(Object.keys(cases))('%s', async (name) => {
    await running.get(name);
  });
}

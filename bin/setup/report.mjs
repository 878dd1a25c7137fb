/** The set-up can't go on; the message has the cause and the fix. */
export class SetupFailure extends Error {}

/** Prints what begins and how long it took: one line each, which reads well in a log too. */
export async function step(what, work) {
  const start = performance.now();
  console.log(`set-up: ${what} …`);
  const result = await work();
  console.log(`set-up: ${what}: done in ${((performance.now() - start) / 1000).toFixed(1)} s`);
  return result;
}

export function note(text) {
  console.log(`set-up: ${text}`);
}

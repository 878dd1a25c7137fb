/** Builds the service and its page: `node build/main.mjs`, or `node build/main.mjs server page` for parts of them. */
import './node-version.mjs';

// Behind the check of the version: an old Node.js could not even read it.
try {
  const { build } = await import('./build.mjs');
  await build(process.argv.slice(2));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

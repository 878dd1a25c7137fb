import { runLocal } from '../lib/local/run.ts';

// A terminal that was closed is no reason to leave parts running.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

process.exit(await runLocal(process.argv.slice(2), process.env));

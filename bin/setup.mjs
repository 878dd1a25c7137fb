/**
 * Makes a fresh machine ready for `npm start`, with `--browser` for all tests, and with `--only` for what it names:
 * packages, the service's build, a Redis server, Chromium. It leaves alone what is there already, so a second run does
 * nothing.
 *
 * It uses nothing but what Node.js has built in, since it runs before anything is installed. This file has a syntax that
 * Node.js 12 can read; main.mjs is imported behind the check of the version.
 */
import { requireNode } from './node-version.mjs';

requireNode();
import('./setup/main.mjs').then(({ main }) => main(process.argv.slice(2)));

/** Where the set-up finds Chromium, for the tests that drive it. */
export { findChromium } from '../../lib/local/programs.mjs';

export { findChromium } from '../../lib/local/programs.mjs';

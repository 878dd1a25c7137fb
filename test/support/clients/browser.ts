import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium } from 'playwright-core';
import { findChromium } from '../../../lib/local/programs.mjs';

/** Chromium's own services look for hosts on the internet at each start: none is needed here. */
const quiet = [
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
  '--no-first-run',
];

/** A headless Chromium with a profile of its own. */
export async function openBrowser(extra: readonly string[] = []): Promise<{
  context: BrowserContext;
  close(): Promise<void>;
}> {
  const executablePath = findChromium();
  if (!executablePath)
    throw new Error('no Chromium found: run `node bin/setup.mjs --browser`, which installs it');
  const profile = mkdtempSync(join(tmpdir(), 'realtime-browser-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    // Chromium's sandbox does not start as root, which is what containers of CI run as.
    chromiumSandbox: process.getuid?.() !== 0,
    args: [...quiet, ...extra],
  });
  return {
    context,
    close: async () => {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

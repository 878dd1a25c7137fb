import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { knobsOfContext, parseConfig } from '../config/config.ts';
import { RealtimeStack } from '../realtime-stack.ts';
import type { Template } from './template.ts';

/**
 * The template of cdk.json with these knobs, as `cdk synth` makes it; nothing is left behind.
 * @throws ConfigError when they don't hold
 */
export function synthesize(knobs: Readonly<Record<string, string>>): Template {
  const context = { ...contextOfCdkJson(), ...knobs };
  const outdir = mkdtempSync(join(tmpdir(), 'realtime-cost-'));
  try {
    const app = new App({
      analyticsReporting: false,
      outdir,
      // Warnings are `cdk synth`'s to tell.
      context: { ...context, '@aws-cdk/core:annotationsInValidationReport': false },
    });
    const stack = new RealtimeStack(app, 'RealtimeStack', parseConfig(knobsOfContext(context)));
    return app.synth().getStackArtifact(stack.artifactId).template;
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
}

function contextOfCdkJson(): Record<string, unknown> {
  return JSON.parse(readFileSync(new URL('../../cdk.json', import.meta.url), 'utf8')).context;
}

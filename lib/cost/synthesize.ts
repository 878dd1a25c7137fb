import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { knobsOfContext, parseConfig } from '../config/config.ts';
import type { RealtimeConfig } from '../config/groups.ts';
import { RealtimeStack } from '../realtime-stack.ts';
import type { Template } from './bill.ts';

/** Leaves out what `cdk synth` does beside the template: half of the time, for what neither the bill nor a test reads. */
export const templateOnly = {
  // `cdk synth` prints the warnings.
  '@aws-cdk/core:annotationsInValidationReport': false,
  '@aws-cdk/core:enableAdditionalMetadataCollection': false,
  'aws:cdk:disable-asset-staging': true,
  'aws:cdk:disable-creation-stack-traces': true,
  'aws:cdk:disable-stack-trace': true,
};

export interface Synthesized {
  readonly config: RealtimeConfig;
  readonly template: Template;
  /** The bootstrap that the CDK needs in the account and the region. */
  readonly bootstrap: { readonly parameter: string; readonly leastVersion: number };
}

/**
 * What `cdk synth` would create from cdk.json and these knobs. No files are left behind.
 *
 * @throws ConfigError if the knobs are not valid
 */
export function synthesize(knobs: Readonly<Record<string, string>>): Synthesized {
  const context = { ...contextOfCdkJson(), ...knobs };
  const outdir = mkdtempSync(join(tmpdir(), 'realtime-cost-'));
  try {
    const app = new App({
      analyticsReporting: false,
      treeMetadata: false,
      outdir,
      context: { ...context, ...templateOnly },
    });
    const config = parseConfig(knobsOfContext(context));
    const stack = new RealtimeStack(app, 'RealtimeStack', config);
    const artifact = app.synth().getStackArtifact(stack.artifactId);
    return {
      config,
      template: artifact.template,
      bootstrap: {
        parameter: artifact.bootstrapStackVersionSsmParameter ?? '',
        leastVersion: artifact.requiresBootstrapStackVersion ?? 0,
      },
    };
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
}

function contextOfCdkJson(): Record<string, unknown> {
  return JSON.parse(readFileSync(new URL('../../cdk.json', import.meta.url), 'utf8')).context;
}

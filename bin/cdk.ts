import { setFlagsFromString } from 'node:v8';
import { App, Validations } from 'aws-cdk-lib';
import { ConfigError, knobsOfContext, parseConfig } from '../lib/config/config.ts';

const app = new App({ analyticsReporting: false });
const config = readConfig();
// It loads most of the CDK, which takes seconds and which a configuration that is not valid does not need.
const { RealtimeStack } = await import('../lib/realtime-stack.ts');
// `cdk synth --no-validation` says so: the rules load more code than all the rest, and take most of the time.
if (process.env.CDK_VALIDATION !== 'false') await addChecks();
new RealtimeStack(app, 'RealtimeStack', config);

async function addChecks(): Promise<void> {
  // The CDK's validator is WebAssembly that runs once: to optimize it takes longer than it saves.
  setFlagsFromString('--liftoff-only');
  const { AwsSolutionsChecks } = await import('cdk-nag');
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
}

function readConfig() {
  try {
    return parseConfig(knobsOfContext(app.node.getAllContext()));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // The message says it all; a stack trace would hide it.
    console.error(error.message);
    process.exit(1);
  }
}

import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { ConfigError, knobsOfContext, parseConfig } from '../lib/config/config.ts';
import { RealtimeStack } from '../lib/realtime-stack.ts';

const app = new App({ analyticsReporting: false });
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
new RealtimeStack(app, 'RealtimeStack', readConfig());

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

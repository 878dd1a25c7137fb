#!/usr/bin/env node
/**
 * Runs the CDK's command line. The set-up makes `npx cdk` lead here, since the CDK's own program answers an old Node.js
 * with a stack trace. Its syntax is one that Node.js 12 can read.
 */
import { createRequire } from 'node:module';
import { requireNode } from './node-version.mjs';

requireNode();
// On Node.js 20 the AWS SDK in it announces on each command that later SDKs need 22; README.md has the versions.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
createRequire(import.meta.url)('aws-cdk/bin/cdk');

import { readFileSync } from 'node:fs';
import { App, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import { parseConfig, type RealtimeConfigInput } from '../../../lib/config/config.ts';
import { RealtimeStack } from '../../../lib/realtime-stack.ts';

const cdkJson = JSON.parse(readFileSync('cdk.json', 'utf8'));

/** An image that exists, so that a template does not change with the service's source. */
export const imageUri = '123456789012.dkr.ecr.us-east-1.amazonaws.com/realtime:1.2.3';

/** An app as `cdk synth` makes it, with the feature flags of cdk.json; warnings are asserted, not printed. */
export const newApp = () =>
  new App({
    analyticsReporting: false,
    context: { ...cdkJson.context, '@aws-cdk/core:annotationsInValidationReport': false },
  });

export const newStack = () => new Stack(newApp(), 'Test', { env: { region: 'us-east-1' } });

export const newVpc = (stack: Stack) =>
  new ec2.Vpc(stack, 'Vpc', {
    restrictDefaultSecurityGroup: false,
    natGateways: 1,
    subnetConfiguration: [
      { name: 'Public', subnetType: ec2.SubnetType.PUBLIC },
      { name: 'Private', subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS },
      { name: 'Isolated', subnetType: ec2.SubnetType.PRIVATE_ISOLATED },
    ],
  });

export function realtimeStack(knobs: RealtimeConfigInput = {}): RealtimeStack {
  return new RealtimeStack(newApp(), 'RealtimeStack', parseConfig({ imageUri, ...knobs }));
}

const templates = new Map<string, Template>();

/** The template of a configuration; synthesized once, as it costs more than all that is asked of it. */
export function templateOf(knobs: RealtimeConfigInput = {}): Template {
  const key = JSON.stringify(knobs);
  const template = templates.get(key) ?? Template.fromStack(realtimeStack(knobs));
  templates.set(key, template);
  return template;
}

/** The texts of the warnings that a synthesis would show. */
export const warningsOf = (stack: Stack): string[] =>
  Annotations.fromStack(stack)
    .findWarning('*', Match.anyValue())
    .map(({ entry }) => String(entry.data));

// biome-ignore lint/suspicious/noExplicitAny: a template is JSON of any shape
export type Json = any;

export function resourcesOf(template: Template, type: string): Json[] {
  return Object.values(template.findResources(type)).map((resource: Json) => resource.Properties);
}

/** Attributes are a list of keys that no validator knows: as an object they can be compared whole. */
export const attributesOf = (list: { Key: string; Value: unknown }[]) =>
  Object.fromEntries(list.map(({ Key, Value }) => [Key, Value]));

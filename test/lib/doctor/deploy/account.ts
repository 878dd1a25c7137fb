import type { CaaRecord } from 'node:dns';
import { type Synthesized, synthesize } from '../../../../lib/cost/synthesize.ts';
import { examine } from '../../../../lib/doctor/deploy/preflight.ts';
import { type Answers, askAwsAt, startAws } from '../../../support/servers/aws.ts';
import { certificateArn, wellAnswers } from './recorded.ts';

const ecr = '123456789012.dkr.ecr.us-east-1.amazonaws.com';
export const images = {
  imageUri: `${ecr}/realtime:1`,
  liveKitImageUri: `${ecr}/livekit:1`,
  sidecarImageUri: `${ecr}/sidecar:1`,
  agentImageUri: `${ecr}/agent:1`,
};
export const prod = { ...images, environment: 'prod', deletionProtection: 'false' };
export const domain = {
  ...prod,
  domainName: 'realtime.example.com',
  hostedZoneId: 'Z0123456789ABC',
  hostedZoneName: 'example.com',
  liveKitNodes: '2',
  modelProvider: 'bedrock',
  modelId: 'amazon.nova-lite-v1:0',
};
const { hostedZoneId, hostedZoneName, ...unhosted } = domain;
export const ownCertificate = { ...unhosted, certificateArn, turnDomainName: 'turn.example.com' };
export const existingVpc = {
  ...prod,
  vpcId: 'vpc-0123abcd',
  availabilityZones: 'us-east-1a,us-east-1b',
  privateSubnetIds: 'subnet-0000000a,subnet-0000000b',
};
export const profile = {
  ...prod,
  region: 'eu-west-1',
  waf: 'false',
  modelProvider: 'bedrock',
  modelId: 'eu.amazon.nova-lite-v1:0',
  modelRegions: 'eu-west-1,eu-west-3',
};

const synthesized = new Map<object, Synthesized>();
export const planOf = (knobs: Record<string, string>) => {
  const known = synthesized.get(knobs) ?? synthesize(knobs);
  synthesized.set(knobs, known);
  return known;
};

/** What the account answers now: each test starts with one that is well. */
export let answers: Answers;
/** A stand-in for AWS, once `useAccount` was called. */
export let aws: Awaited<ReturnType<typeof startAws>>;

/** Whoever looks may ask for this, and for nothing else. */
export function mayOnly(action: string): void {
  answers = { [action]: answers[action] as Record<string, unknown> };
}

/** Stands in for an AWS account while the tests run that stand beside the call. */
export function useAccount(): void {
  let askNoMore: () => void;
  beforeAll(async () => {
    aws = await startAws(() => answers);
    askNoMore = askAwsAt(aws.url);
  });
  afterAll(async () => {
    askNoMore();
    await aws.stop();
  });
  beforeEach(() => {
    answers = wellAnswers();
    aws.asked.length = 0;
  });
}

export const delegatedTo =
  (...servers: string[]) =>
  async () =>
    servers;
export const delegated = delegatedTo('ns-1.awsdns-01.org', 'ns-9.elsewhere.net');

export function sink() {
  let text = '';
  return { write: (more: string) => (text += more), text: () => text };
}

export const withoutRecords = () => Promise.reject(Object.assign(new Error('none'), { code: 'ENODATA' }));

/** What is found of an account that is well but for a change. */
export async function find(
  knobs: Record<string, string>,
  change: Answers = {},
  resolveNs: (zone: string) => Promise<string[]> = delegated,
  resolveCaa: (name: string) => Promise<CaaRecord[]> = withoutRecords,
) {
  Object.assign(answers, change);
  const output = sink();
  const summary = await examine(planOf(knobs), output, { environment: {}, resolveNs, resolveCaa });
  return {
    summary,
    text: output.text(),
    of: (name: string) => summary.findings.find((each) => each.name === name),
  };
}

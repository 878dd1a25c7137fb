import { type Json, newApp } from '../lib/aws/synthesis.ts';
import { templateOf } from '../lib/stack/templates.ts';
import { addStages } from './stages.ts';

const registry = '333333333333.dkr.ecr.us-east-1.amazonaws.com/realtime-stack';
const digest = `@sha256:${'0'.repeat(64)}`;
const images = {
  imageUri: `${registry}/app${digest}`,
  liveKitImageUri: `${registry}/livekit${digest}`,
  sidecarImageUri: `${registry}/sidecar${digest}`,
  agentImageUri: `${registry}/agent${digest}`,
};

const app = newApp();
const [dev, prod] = addStages(app, images).map((stage) => {
  const assembly = stage.synth();
  return { stage, stack: assembly.stacks[0] };
});

test('each stage deploys to its own account and region, by its own bootstrap', () => {
  expect(dev?.stack?.environment).toMatchObject({ account: '111111111111', region: 'us-east-1' });
  expect(prod?.stack?.environment).toMatchObject({ account: '222222222222', region: 'eu-west-1' });
  expect(dev?.stack?.assumeRoleArn).toContain(
    '111111111111:role/cdk-realtime-deploy-role-111111111111-us-east-1',
  );
  expect(prod?.stack?.assumeRoleArn).toContain(
    '222222222222:role/cdk-hnb659fds-deploy-role-222222222222-eu-west-1',
  );
  expect([dev, prod].map((each) => each?.stack?.stackName)).toEqual(['realtime-dev', 'realtime-prod']);
});

test('prod’s termination is protected in a stage, too', () => {
  expect(prod?.stack?.terminationProtection).toBe(true);
});

/** The logical ids that one of two templates has alone. */
const idsBeside = (one: object, other: object) => Object.keys(one).filter((id) => !(id in other));

test('only rules between security groups are named after the stage: everything else is that of the stack alone', () => {
  const knobs = { ...images, environment: 'prod', region: 'eu-west-1', waf: false, liveKitNodes: 2 };
  const alone: Record<string, Json> = templateOf(knobs).toJSON().Resources;
  const inStage: Record<string, Json> = prod?.stack?.template.Resources;
  const own = idsBeside(inStage, alone);
  expect(own.length).toBeGreaterThan(0);
  expect(idsBeside(alone, inStage)).toHaveLength(own.length);
  for (const id of own) expect(inStage[id].Type).toMatch(/^AWS::EC2::SecurityGroup(Ingress|Egress)$/);
});

test('the images come from one account, by their digests, and tasks may pull them', () => {
  for (const each of [dev, prod]) {
    const text = JSON.stringify(each?.stack?.template);
    expect(text).toContain(`realtime-stack/app${digest}`);
    expect(text).toContain(':ecr:us-east-1:333333333333:repository/realtime-stack/app');
  }
});

test('nothing is looked up: a stage synthesizes without credentials', () => {
  expect(app.synth().manifest.missing ?? []).toEqual([]);
});

import { Stack } from 'aws-cdk-lib';
import { physicalName } from '../../../lib/aws/account/physical-name.ts';
import { newApp } from '../aws/synthesis.ts';
import { isGlobal, namesIn, refersToResource } from './names.ts';
import { resourcesById, synthesize, variants } from './templates.ts';

describe('no physical name is the same for two stacks of an account', () => {
  test.each(Object.entries(variants))('%s', (_, knobs) => {
    const { stackName, region } = synthesize(knobs).stack;
    const names = Object.values(resourcesById(knobs)).flatMap(namesIn);
    expect(names.map(({ path }) => path)).toContain('AWS::ECS::TaskDefinition Family');
    const constant = names.filter(({ path, value }) => {
      const text = JSON.stringify(value);
      const differs = text.includes(stackName) && (!isGlobal(path) || text.includes(region));
      return !differs && !refersToResource(value);
    });
    expect(constant).toEqual([]);
  });

  test('CloudFront’s names fit into 64 characters with the longest name of a stack', () => {
    const stack = { stackName: 'S'.repeat(32), region: 'ap-northeast-1' };
    const names = Object.values(resourcesById(stack)).flatMap(namesIn);
    const ofCloudFront = names.filter(({ path }) => isGlobal(path) && path.endsWith('Name'));
    expect(ofCloudFront.length).toBe(3);
    for (const { value } of ofCloudFront) expect(value.length).toBeLessThanOrEqual(64);
  });
});

test('a name that had to be shortened still differs between stacks', () => {
  const [one, other] = ['one', 'other'].map(
    (end) => new Stack(newApp(), 'Stack', { stackName: `${'s'.repeat(60)}${end}` }),
  );
  expect(physicalName(one as Stack, 40)).not.toBe(physicalName(other as Stack, 40));
  expect(physicalName(one as Stack, 40).length).toBeLessThanOrEqual(40);
});

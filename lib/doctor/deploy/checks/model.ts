import { GetFoundationModelAvailabilityCommand, GetInferenceProfileCommand } from '@aws-sdk/client-bedrock';
import { passed } from '../../finding.ts';
import { ask } from '../aws.ts';
import type { Check, Plan } from '../check.ts';
import { type Finding, failed, NotCheckedError } from '../finding.ts';

const unknown = /^(ResourceNotFound|ValidationException)/;

export const model: Check = {
  name: 'bedrock',
  permissions: {
    'bedrock:GetFoundationModelAvailability': '*',
    'bedrock:GetInferenceProfile': 'arn:aws:bedrock:*:*:inference-profile/*',
  },
  applies: ({ config }) => config.service.model !== undefined,
  async run(plan) {
    const { model: wanted } = plan.config.service;
    if (!wanted) throw new NotCheckedError('the model is offline');
    return wanted.profileRegions
      ? profileAccess(plan, wanted.id, wanted.profileRegions)
      : modelAccess(plan, wanted.id, [plan.config.region]);
  },
};

async function profileAccess(plan: Plan, id: string, regions: readonly string[]): Promise<Finding> {
  const { region } = plan.config;
  const profile = await ask(
    'bedrock:GetInferenceProfile',
    plan.aws.bedrock(region).send(new GetInferenceProfileCommand({ inferenceProfileIdentifier: id })),
    unknown,
  );
  if (!profile)
    return failed({
      found: `${region} has no inference profile ${id}`,
      needed: 'one of its profiles, or models',
      fix: `\`aws bedrock list-inference-profiles --region ${region}\`, and set \`modelId\``,
    });
  const behind = (profile.models ?? []).map(({ modelArn = '' }) => modelArn);
  const itsRegions = [...new Set(behind.map((arn) => arn.split(':')[3] ?? ''))].filter(Boolean).sort();
  const lacking = itsRegions.filter((name) => !regions.includes(name));
  if (lacking.length > 0)
    return failed({
      found: `${id} also runs in ${lacking.join(', ')}, where the task may not call it`,
      needed: 'all regions of the profile in `modelRegions`, or some answers are denied',
      fix: `\`-c modelRegions=${itsRegions.join(',')}\``,
    });
  return modelAccess(plan, behind[0]?.split('/').at(-1) ?? id, itsRegions.length > 0 ? itsRegions : [region]);
}

async function modelAccess({ aws }: Plan, id: string, regions: readonly string[]): Promise<Finding> {
  const faults: string[] = [];
  for (const region of regions) {
    const response = await ask(
      'bedrock:GetFoundationModelAvailability',
      aws.bedrock(region).send(new GetFoundationModelAvailabilityCommand({ modelId: id })),
      unknown,
    );
    const states = {
      'not offered there': !response || response.regionAvailability === 'NOT_AVAILABLE',
      'its terms are not accepted': response?.agreementAvailability?.status === 'NOT_AVAILABLE',
      'the account has no access': response?.entitlementAvailability === 'NOT_AVAILABLE',
      'a policy forbids it': response?.authorizationStatus === 'NOT_AUTHORIZED',
    };
    const [fault] = Object.entries(states).find(([, holds]) => holds) ?? [];
    if (fault) faults.push(`${region}: ${fault}`);
  }
  if (faults.length === 0) return passed(`${id}, in ${regions.join(', ')}`);
  return failed({
    found: `${id} can't be used; ${faults.join('; ')}`,
    needed: 'access to the model, or each question ends as `failed`',
    fix: 'in the Bedrock console of each of these regions, under “Model catalog”, open the model and ask for access, or set another `modelId`; `-c modelProvider=offline` needs none',
  });
}

import {
  type CloudFormationClient,
  DescribeStacksCommand,
  ListStackResourcesCommand,
} from '@aws-sdk/client-cloudformation';
import { ask } from './aws.ts';

/** The stack, if there is one by now. */
export interface Deployed {
  readonly status: string;
  readonly protected: boolean;
  /** How many resources of a type it has. */
  count(type: string): number;
  /** Physical ids of its resources of a type. */
  ids(type: string): readonly string[];
}

export const deployedPermissions = {
  'cloudformation:DescribeStacks': '*',
  'cloudformation:ListStackResources': '*',
};

/** @returns undefined if there is no such stack. @throws NotCheckedError */
export async function readDeployed(
  name: string,
  cloudFormation: CloudFormationClient,
): Promise<Deployed | undefined> {
  const response = await ask(
    'cloudformation:DescribeStacks',
    cloudFormation.send(new DescribeStacksCommand({ StackName: name })),
    /does not exist/,
  );
  const [stack] = response?.Stacks ?? [];
  if (!stack) return undefined;
  const resources: { type: string; id: string }[] = [];
  let token: string | undefined;
  do {
    const page = await ask(
      'cloudformation:ListStackResources',
      cloudFormation.send(new ListStackResourcesCommand({ StackName: name, NextToken: token })),
    );
    for (const {
      ResourceType = '',
      PhysicalResourceId = '',
      ResourceStatus,
    } of page.StackResourceSummaries ?? [])
      if (ResourceStatus !== 'DELETE_COMPLETE')
        resources.push({ type: ResourceType, id: PhysicalResourceId });
    token = page.NextToken;
  } while (token);
  const ids = (type: string) => resources.filter((each) => each.type === type).map(({ id }) => id);
  return {
    status: stack.StackStatus ?? '',
    protected: stack.EnableTerminationProtection ?? false,
    ids,
    count: (type) => ids(type).length,
  };
}

import { type Check, CheckFailure, type Proof } from '../check.ts';
import { CannotVerifyError } from '../errors.ts';
import { type AwsClients, explainRejection, openClients } from './aws-clients.ts';

export interface DeployedResource {
  readonly logicalId: string;
  readonly type: string;
  readonly physicalId: string;
  readonly updatedAt: Date;
}

/** A stack as CloudFormation knows it. */
export interface DeployedStack {
  readonly name: string;
  readonly resources: readonly DeployedResource[];
  /** Values of the stack's outputs. */
  readonly outputs: Readonly<Record<string, string>>;
  /** Properties that the template gave to a resource, if it has it. */
  properties(resource: DeployedResource): Readonly<Record<string, unknown>> | undefined;
  /** The first resource of a type, if it has one. */
  find(type: string): DeployedResource | undefined;
}

/** One property that a stack on AWS must have. The check reads, and changes nothing. */
export interface StackCheck extends Pick<Check, 'name' | 'title'> {
  /** @throws CheckFailure if it does not hold, NotProvedError if there is nothing to prove */
  run(stack: DeployedStack, clients: AwsClients): Promise<Proof>;
}

/** @throws CheckFailure if it can't be read */
export async function readStack(name: string, { cloudFormation }: AwsClients): Promise<DeployedStack> {
  const { DescribeStacksCommand, GetTemplateCommand, ListStackResourcesCommand } = await import(
    '@aws-sdk/client-cloudformation'
  );
  try {
    const { Stacks: [described] = [] } = await cloudFormation.send(
      new DescribeStacksCommand({ StackName: name }),
    );
    const resources: DeployedResource[] = [];
    let token: string | undefined;
    do {
      const page = await cloudFormation.send(
        new ListStackResourcesCommand({ StackName: name, ...(token ? { NextToken: token } : {}) }),
      );
      for (const entry of page.StackResourceSummaries ?? [])
        resources.push({
          logicalId: entry.LogicalResourceId ?? '',
          type: entry.ResourceType ?? '',
          physicalId: entry.PhysicalResourceId ?? '',
          updatedAt: entry.LastUpdatedTimestamp ?? new Date(0),
        });
      token = page.NextToken;
    } while (token);
    const { TemplateBody = '{}' } = await cloudFormation.send(
      new GetTemplateCommand({ StackName: name, TemplateStage: 'Processed' }),
    );
    const template = JSON.parse(TemplateBody) as {
      Resources?: Record<string, { Type: string; Properties?: Record<string, unknown> }>;
    };
    return {
      name,
      outputs: Object.fromEntries(
        (described?.Outputs ?? []).map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue]),
      ),
      resources,
      find: (type) => resources.find((resource) => resource.type === type),
      properties: ({ logicalId }) => template.Resources?.[logicalId]?.Properties,
    };
  } catch (error) {
    throw explainRejection(error, `the stack ${name}`);
  }
}

/** The URL and the checks of a stack. */
interface OpenedStack {
  /** The URL to which clients connect. */
  readonly url: string | undefined;
  readonly checks: readonly Check[];
}

/**
 * Reads a stack in the region and with the credentials of the environment.
 *
 * @param clients replace the SDK's in tests
 * @throws CannotVerifyError if it can't be read, with what to do
 */
export async function openStack(
  name: string,
  checks: readonly StackCheck[],
  clients?: AwsClients,
): Promise<OpenedStack> {
  try {
    const opened = clients ?? (await openClients(undefined));
    const stack = await readStack(name, opened);
    return {
      url: stack.outputs.Url,
      checks: checks.map((check) => ({ ...check, needs: [], run: () => check.run(stack, opened) })),
    };
  } catch (error) {
    if (!(error instanceof CheckFailure)) throw error;
    const { found, cause, fix } = error.fault;
    throw new CannotVerifyError('stack', `${found}\n${cause}: ${fix}`);
  }
}

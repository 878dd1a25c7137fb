import type { Service } from '@aws-sdk/client-ecs';
import { type WatchedService, watchedService } from '../../../../livekit/sidecar/names.ts';
import { CheckFailure } from '../../check.ts';
import { type AwsClients, explainRejection } from '../aws-clients.ts';
import type { DeployedStack } from '../deployed-stack.ts';

/** A service whose tasks have calls. Each task has a sidecar that protects them. */
export interface CallService {
  readonly name: string;
  /** The value of the dimension `Service` in the metrics of its sidecars. */
  readonly watched: WatchedService;
  readonly service: Service;
  /** A command that shows the service's latest events. */
  readonly events: string;
  /** A command that shows the log of a container of its tasks. @param options as `aws logs tail` takes them */
  log(container: string, options?: string): string;
}

interface CallPart extends Pick<CallService, 'name' | 'watched'> {
  /** The beginning of the logical ids of its resources. */
  readonly construct: string;
}

/** Media nodes. */
export const liveKitPart: CallPart = { construct: 'LiveKit', name: 'LiveKit', watched: watchedService.node };

/** Workers of the voice agent. */
export const agentPart: CallPart = { construct: 'Agent', name: 'the agent', watched: watchedService.agent };

/**
 * Undefined if the stack has no such service.
 * @throws CheckFailure if it can't be read
 */
export async function readCallService(
  { construct, name, watched }: CallPart,
  stack: DeployedStack,
  { ecs }: AwsClients,
): Promise<CallService | undefined> {
  const idOf = (resourceType: string, idBegin: string) =>
    stack.resources.find(({ type, logicalId }) => type === resourceType && logicalId.startsWith(idBegin))
      ?.physicalId;
  const arn = idOf('AWS::ECS::Service', `${construct}Service`);
  const cluster = stack.find('AWS::ECS::Cluster')?.physicalId;
  if (!arn || !cluster) return undefined;
  const { DescribeServicesCommand } = await import('@aws-sdk/client-ecs');
  const answer = await ecs
    .send(new DescribeServicesCommand({ cluster, services: [arn] }))
    .catch((error: unknown) => {
      throw explainRejection(error, `the service ${arn}`);
    });
  const service = answer.services?.find(({ status }) => status === 'ACTIVE');
  if (!service) throw new CheckFailure(goneOf(name, arn));
  const logGroup = idOf('AWS::Logs::LogGroup', `${construct}Logs`);
  return {
    name,
    watched,
    service,
    events: `\`aws ecs describe-services --cluster ${cluster} --services ${service.serviceName} --query 'services[0].events[:9].message'\``,
    log: (container, options = '--since 1h') =>
      `\`aws logs tail ${logGroup} --log-stream-name-prefix ${container}/ ${options}\``,
  };
}

function goneOf(name: string, arn: string) {
  return {
    found: `no service ${arn} of ${name}`,
    cause: 'it was deleted outside of CloudFormation',
    fix: '`npx cdk deploy -c liveKitNodes=0`, then `npx cdk deploy`',
  };
}

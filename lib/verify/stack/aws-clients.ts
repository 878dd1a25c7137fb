import type { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import type { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import type { ECSClient } from '@aws-sdk/client-ecs';
import type { ElastiCacheClient } from '@aws-sdk/client-elasticache';
import type { SSMClient } from '@aws-sdk/client-ssm';

/** The parts of the SDK's clients that are used. Tests replace them with recorded answers. */
export interface AwsClients {
  readonly cloudFormation: Pick<CloudFormationClient, 'send'>;
  readonly cloudWatch: Pick<CloudWatchClient, 'send'>;
  readonly elastiCache: Pick<ElastiCacheClient, 'send'>;
  readonly ssm: Pick<SSMClient, 'send'>;
  readonly ecs: Pick<ECSClient, 'send'>;
}

/**
 * Loads the SDK. That takes a while, so it happens only with `--stack`.
 *
 * @param region of the stack. @default that of the environment or of the profile
 */
export async function openClients(region: string | undefined): Promise<AwsClients> {
  const [
    { CloudFormationClient },
    { CloudWatchClient },
    { ECSClient },
    { ElastiCacheClient },
    { SSMClient },
  ] = await Promise.all([
    import('@aws-sdk/client-cloudformation'),
    import('@aws-sdk/client-cloudwatch'),
    import('@aws-sdk/client-ecs'),
    import('@aws-sdk/client-elasticache'),
    import('@aws-sdk/client-ssm'),
  ]);
  const options = { maxAttempts: 3, ...(region === undefined ? {} : { region }) };
  return {
    cloudFormation: new CloudFormationClient(options),
    cloudWatch: new CloudWatchClient(options),
    ecs: new ECSClient(options),
    elastiCache: new ElastiCacheClient(options),
    ssm: new SSMClient(options),
  };
}

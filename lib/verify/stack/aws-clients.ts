import type { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import type { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import type { ECSClient } from '@aws-sdk/client-ecs';
import type { ElastiCacheClient } from '@aws-sdk/client-elasticache';
import type { SSMClient } from '@aws-sdk/client-ssm';
import { CheckFailure } from '../check.ts';

/** The parts of the SDK's clients that are used. */
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

/** Explains an error of AWS, or of the SDK before it sends a request. */
export function explainRejection(error: unknown, asked: string): CheckFailure {
  const { name, message } = error as Error;
  return new CheckFailure({ found: `${asked}: ${name}: ${message}`, ...causeOf(name, message) });
}

function causeOf(name: string, message: string): { cause: string; fix: string } {
  if (/CredentialsProvider|ExpiredToken|UnrecognizedClient|InvalidClientTokenId/.test(name))
    return {
      cause: 'no AWS credentials that are valid now',
      fix: 'log in (`aws sso login`), or set AWS_PROFILE; leave out --stack to verify without AWS',
    };
  if (/Region is missing/.test(message))
    return { cause: 'no region', fix: 'set AWS_REGION to the region of the stack' };
  if (/AccessDenied|UnauthorizedOperation/.test(name))
    return {
      cause: 'these credentials may not ask this',
      fix: 'take a role that may read: ReadOnlyAccess is enough',
    };
  if (/does not exist/.test(message))
    return {
      cause: 'another region or account, or another name',
      fix: 'compare with `aws cloudformation list-stacks`, and set AWS_REGION',
    };
  return { cause: 'AWS did not answer', fix: 'try again; see https://health.aws.amazon.com' };
}

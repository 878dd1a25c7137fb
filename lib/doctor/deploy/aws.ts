import { ACMClient } from '@aws-sdk/client-acm';
import { BedrockClient } from '@aws-sdk/client-bedrock';
import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { EC2Client } from '@aws-sdk/client-ec2';
import { ElasticLoadBalancingV2Client } from '@aws-sdk/client-elastic-load-balancing-v2';
import { ElastiCacheClient } from '@aws-sdk/client-elasticache';
import { Route53Client } from '@aws-sdk/client-route-53';
import { ServiceQuotasClient } from '@aws-sdk/client-service-quotas';
import { SSMClient } from '@aws-sdk/client-ssm';
import { STSClient } from '@aws-sdk/client-sts';
import { NotCheckedError } from './finding.ts';

/** Where the CDK and a person in a hurry would give up, too. */
const patience = { maxAttempts: 3, requestHandler: { connectionTimeout: 5_000, requestTimeout: 20_000 } };

export type Aws = ReturnType<typeof openAws>;

/** Clients of the region of the stack, with the credentials of the environment. */
export function openAws(region: string) {
  const options = { ...patience, region };
  return {
    bedrock: (inRegion: string) => new BedrockClient({ ...patience, region: inRegion }),
    certificates: (inRegion: string) => new ACMClient({ ...patience, region: inRegion }),
    cloudFormation: new CloudFormationClient(options),
    cloudWatch: new CloudWatchClient(options),
    ec2: new EC2Client(options),
    elastiCache: new ElastiCacheClient(options),
    loadBalancers: new ElasticLoadBalancingV2Client(options),
    quotas: new ServiceQuotasClient(options),
    route53: new Route53Client(options),
    ssm: new SSMClient(options),
    sts: new STSClient(options),
  };
}

const deniedNames = /^(AccessDenied|AccessDeniedException|UnauthorizedOperation|NotAuthorized|AuthFailure)$/;

/**
 * What a service answers to a request.
 *
 * @param action that the request needs in IAM, such as `ec2:DescribeVpcs`
 * @param expected name of an error that is an answer, too: `undefined`
 * @throws NotCheckedError if it is denied, or fails
 */
export async function ask<T>(action: string, request: Promise<T>): Promise<T>;
export async function ask<T>(action: string, request: Promise<T>, expected: RegExp): Promise<T | undefined>;
export async function ask<T>(action: string, request: Promise<T>, expected?: RegExp) {
  try {
    return await request;
  } catch (error) {
    const { name, message } = error as Error;
    if (expected?.test(name) || expected?.test(`${name}: ${message}`)) return undefined;
    if (deniedNames.test(name)) throw new NotCheckedError(`missing permission ${action}`);
    // What the SDK adds below the first line is for its own developers.
    throw new NotCheckedError(`${action} failed: ${name}: ${message.split('\n')[0]}`);
  }
}

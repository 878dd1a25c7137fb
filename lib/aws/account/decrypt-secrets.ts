import { Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { IConstruct } from 'constructs';

/**
 * Permission to read secrets that a customer's KMS key encrypts. The key serves through Secrets Manager only, which
 * decides by itself who may read which secret. The CDK grants none for a key that exists already.
 *
 * @param keyArn of the key, whose own policy must leave permissions to IAM, as the default one does
 */
export function decryptSecrets(scope: IConstruct, keyArn: string): iam.PolicyStatement {
  const { region, urlSuffix } = Stack.of(scope);
  return new iam.PolicyStatement({
    actions: ['kms:Decrypt'],
    resources: [keyArn],
    conditions: { StringEquals: { 'kms:ViaService': `secretsmanager.${region}.${urlSuffix}` } },
  });
}

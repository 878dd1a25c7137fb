import { type Json, withoutHash } from '../aws/synthesis.ts';
import { altered, customerKey, describeAltered, resourcesById } from './templates.ts';

/** The property by which each type of resource names the key that encrypts what it stores. */
const keyProperties: Readonly<Record<string, (properties: Json) => unknown>> = {
  'AWS::SecretsManager::Secret': ({ KmsKeyId }) => KmsKeyId,
  'AWS::Logs::LogGroup': ({ KmsKeyId }) => KmsKeyId,
  'AWS::ElastiCache::ReplicationGroup': ({ KmsKeyId }) => KmsKeyId,
  'AWS::SNS::Topic': ({ KmsMasterKeyId }) => KmsMasterKeyId,
  'AWS::S3::Bucket': ({ BucketEncryption }) =>
    BucketEncryption.ServerSideEncryptionConfiguration[0].ServerSideEncryptionByDefault.KMSMasterKeyID,
};

/** What no key of a customer's encrypts, and why. */
const exceptions: Readonly<Record<string, string>> = {
  EdgeBalancerAccessLogs: 'an application load balancer writes under S3’s own key only',
  EdgeInternalAccessLogs: 'the same',
};

const stored = (knobs: Json) =>
  Object.entries(resourcesById(knobs)).flatMap(([id, { Type, Properties = {} }]) => {
    const keyOf = keyProperties[Type];
    return keyOf ? [{ id: withoutHash(id), key: keyOf(Properties) }] : [];
  });

describeAltered((knobs) => {
  const withKey = altered(knobs);
  const kmsKeyArn = customerKey(knobs);

  test('everything that stores something takes the customer’s key', () => {
    const without = stored(withKey).filter(({ id, key }) => key !== kmsKeyArn && !(id in exceptions));
    expect(without).toEqual([]);
    expect(stored(withKey).length).toBeGreaterThan(5);
    expect(stored(knobs).filter(({ key }) => key !== undefined)).toEqual([]);
  });

  test('who reads one of the stack’s secrets may decrypt it, through Secrets Manager only', () => {
    const policies = Object.values(resourcesById(withKey))
      .filter(({ Type }) => Type === 'AWS::IAM::Policy')
      .map(({ Properties }) => Properties.PolicyDocument.Statement as Json[]);
    const readers = policies.filter((statements) =>
      statements.some(
        ({ Action, Resource }) =>
          [Action].flat().includes('secretsmanager:GetSecretValue') &&
          [Resource].flat().some((resource) => resource.Ref),
      ),
    );
    expect(readers.length).toBeGreaterThan(0);
    const decrypts = ({ Action, Resource, Condition }: Json) =>
      Action === 'kms:Decrypt' &&
      [Resource].flat().includes(kmsKeyArn) &&
      JSON.stringify(Condition).includes(`secretsmanager.${knobs.region ?? 'us-east-1'}.`);
    expect(readers.filter((statements) => !statements.some(decrypts))).toEqual([]);
  });
});

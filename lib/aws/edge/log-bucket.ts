import { type CfnResource, Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as s3 from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';

export interface LogBucketProps {
  /**
   * Whenever it says that the bucket goes, a function of the CDK empties it first: a bucket with a log in it can't be
   * deleted, and load balancers write a first log at once.
   */
  readonly removalPolicy: RemovalPolicy;

  /**
   * Accepts ACLs, with which CloudFront's log delivery writes.
   * @default false
   */
  readonly acceptsAcls?: boolean;

  /**
   * The customer's KMS key with which the log is encrypted.
   * @default - S3’s own key, the only one with which an application load balancer writes
   */
  readonly encryptionKey?: kms.IKey;
}

/** Access logs contain join tokens of LiveKit, which are part of URLs and valid for ten minutes. */
const retention = Duration.days(30);

/** A private bucket for access logs. Its objects expire. */
export function logBucket(scope: Construct, id: string, props: LogBucketProps): s3.Bucket {
  const empties = props.removalPolicy !== RemovalPolicy.RETAIN;
  const bucket = new s3.Bucket(scope, id, {
    ...(props.encryptionKey
      ? { encryption: s3.BucketEncryption.KMS, encryptionKey: props.encryptionKey, bucketKeyEnabled: true }
      : { encryption: s3.BucketEncryption.S3_MANAGED }),
    blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
    objectOwnership: props.acceptsAcls
      ? s3.ObjectOwnership.BUCKET_OWNER_PREFERRED
      : s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
    enforceSSL: true,
    lifecycleRules: [{ expiration: retention, abortIncompleteMultipartUploadAfter: Duration.days(1) }],
    removalPolicy: empties ? RemovalPolicy.DESTROY : props.removalPolicy,
    autoDeleteObjects: empties,
  });
  if (props.removalPolicy === RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE) keepUnlessCreationFails(bucket);
  Validations.of(bucket).acknowledge({
    id: 'AwsSolutions::AwsSolutions-S1',
    reason:
      'It is the end of the chain: a bucket that logs who reads logs would log its own writes for ever.',
  });
  return bucket;
}

/**
 * The bucket stays where the policy says so, and goes with a creation that failed. What empties it shares its fate, so
 * that it is not called where the bucket stays. The CDK empties only buckets with the policy DESTROY, hence the override.
 */
function keepUnlessCreationFails({ node }: s3.Bucket): void {
  for (const child of [node, node.findChild('AutoDeleteObjectsCustomResource').node]) {
    const resource = child.defaultChild as CfnResource;
    resource.addOverride('DeletionPolicy', 'RetainExceptOnCreate');
    resource.addOverride('UpdateReplacePolicy', 'Retain');
  }
}

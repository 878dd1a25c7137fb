import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import * as s3 from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';

export interface LogBucketProps {
  /** @default Duration.days(30) */
  readonly retention?: Duration;

  /** DESTROY empties it with the stack, by a function of the CDK's. */
  readonly removalPolicy: RemovalPolicy;

  /**
   * CloudFront's log delivery writes by ACL.
   * @default false
   */
  readonly acceptsAcls?: boolean;
}

/** A private bucket for access logs, which empties itself. */
export function logBucket(scope: Construct, id: string, props: LogBucketProps): s3.Bucket {
  return new s3.Bucket(scope, id, {
    encryption: s3.BucketEncryption.S3_MANAGED,
    blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
    objectOwnership: props.acceptsAcls
      ? s3.ObjectOwnership.BUCKET_OWNER_PREFERRED
      : s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
    enforceSSL: true,
    serverAccessLogsPrefix: 'bucket/',
    lifecycleRules: [
      {
        expiration: props.retention ?? Duration.days(30),
        abortIncompleteMultipartUploadAfter: Duration.days(1),
      },
    ],
    removalPolicy: props.removalPolicy,
    autoDeleteObjects: props.removalPolicy === RemovalPolicy.DESTROY,
  });
}

import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import type * as iam from 'aws-cdk-lib/aws-iam';
import type * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import type * as ssm from 'aws-cdk-lib/aws-ssm';

/** What connects to Redis: it has a role that reads address and password, and a network place that reaches it. */
export type RedisClient = iam.IGrantable & ec2.IConnectable;

/** One service's way into Redis, with a user of its own where there are users. */
export interface RedisAccess {
  /** `redis[s]://host:port`, without user and password. */
  readonly urlParameter: ssm.IStringParameter;

  /** JSON `username` and `password`, or undefined where Redis asks for none. */
  readonly secret: secretsmanager.ISecret | undefined;

  /**
   * For programs that know `REDIS_URL` or StackExchange's connection string and neither SSM nor Secrets Manager: a
   * secret with both, as JSON `url` and `connectionString`. Made at the first call.
   */
  settings(): secretsmanager.ISecret;

  /** Lets a service read where Redis is and how to log in, and reach it. */
  grantConnect(client: RedisClient): void;
}

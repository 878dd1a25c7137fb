import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import type * as iam from 'aws-cdk-lib/aws-iam';
import type * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import type * as ssm from 'aws-cdk-lib/aws-ssm';
import type { IConstruct } from 'constructs';
import type { AclRules } from '../../../app/server/redis/acl.ts';

/**
 * The Redis or Valkey that connects the instances of a deployment. A service that uses it depends on this construct,
 * so that the address, the users and the network paths exist before its first task starts.
 */
export interface Redis extends IConstruct {
  /**
   * Access for one service. The stack's own cache creates a user for it; an existing Redis has one login for all.
   *
   * @param name of the service, and of its user
   * @param rules what the service's user may do
   */
  accessFor(name: string, rules: AclRules): RedisAccess;
}

/** How one service finds Redis, logs in and reaches it. */
export interface RedisAccess {
  /** Address of the primary node, or of a cluster. The name stays the same after a failover. */
  readonly endpoint: { readonly host: string; readonly port: number };

  readonly tls: boolean;

  /** The user's name, as text or as a reference to a secret; undefined for `default`, or if Redis asks for no login. */
  readonly username: string | undefined;

  /** SSM parameter with `redis[s]://host:port`, without user and password. */
  readonly urlParameter: ssm.IStringParameter;

  /** Secret with the password; undefined if Redis asks for no login. */
  readonly secret: secretsmanager.ISecret | undefined;

  /** The field of the secret's JSON that is the password; undefined if the secret is the password itself. */
  readonly passwordField: 'password' | undefined;

  /**
   * A secret with the whole setting as JSON `url` and `connectionString`, for programs that read `REDIS_URL` or
   * StackExchange's connection string and know neither SSM nor Secrets Manager. The first call creates it.
   */
  settings(): secretsmanager.ISecret;

  /** Allows a service to read the address and the login, and opens the network path. */
  grantConnect(client: RedisClient): void;
}

/** A service that connects to Redis: its role reads address and password, its security group reaches the port. */
export type RedisClient = iam.IGrantable & ec2.IConnectable;

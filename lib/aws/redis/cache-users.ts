import { Lazy, Stack } from 'aws-cdk-lib';
import * as elasticache from 'aws-cdk-lib/aws-elasticache';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { acknowledgeRotation, CacheUser } from './cache-user.ts';

export interface CacheUsersProps {
  /** Version of the users' passwords, from 1. */
  readonly passwordVersion: number;

  /**
   * The customer's KMS key with which the passwords are encrypted.
   * @default - AWS’s own key
   */
  readonly encryptionKey?: kms.IKey;
}

/** ElastiCache's limit for the ids of users and user groups. */
const maxIdLength = 40;

/**
 * The users of a deployment's caches: one for each service, and the user `default`, which is off. They belong to no cache,
 * because ElastiCache's ids of users are the account's, and a cache that takes the place of another has the same users.
 */
export class CacheUsers extends Construct {
  /** All users, those that are added later too. */
  readonly group: elasticache.CfnUserGroup;

  /** Version of the users' passwords. */
  readonly passwordVersion: number;

  private readonly encryptionKey: kms.IKey | undefined;
  private readonly users: elasticache.CfnUser[] = [];

  constructor(scope: Construct, id: string, props: CacheUsersProps) {
    super(scope, id);
    this.passwordVersion = props.passwordVersion;
    this.encryptionKey = props.encryptionKey;
    this.addDisabledDefault();
    this.group = new elasticache.CfnUserGroup(this, 'Group', {
      engine: 'valkey',
      userGroupId: this.idFor('users'),
      userIds: Lazy.list({ produce: () => this.users.map((user) => user.ref) }),
    });
  }

  /** A user for the service of this name. @param accessString its permissions, as rules of `ACL SETUSER` */
  add(name: string, accessString: string): CacheUser {
    const user = new CacheUser(this, `${name[0]?.toUpperCase()}${name.slice(1)}User`, {
      userName: name,
      userId: this.idFor(name),
      accessString,
      passwordVersion: this.passwordVersion,
      encryptionKey: this.encryptionKey,
    });
    this.chain(user.resource);
    return user;
  }

  /** Users change one after another: a user group refuses a change while one of its users is `modifying`. */
  private chain(user: elasticache.CfnUser): void {
    const previous = this.users.at(-1);
    if (previous) user.addResourceDependency(previous);
    this.users.push(user);
  }

  private idFor(name: string): string {
    const id = `${Stack.of(this).stackName.toLowerCase()}-${name}`;
    if (id.length > maxIdLength)
      throw new Error(
        `\`stackName\` and \`name\` must have ${maxIdLength - 1} characters at most together, got: ${id}; ElastiCache refuses a longer user id`,
      );
    return id;
  }

  /** The user `default` is off. It has a password too, so that turning it on would not open the cache. */
  private addDisabledDefault(): void {
    const secret = new secretsmanager.Secret(this, 'DefaultPassword', {
      description: 'Password of the cache’s user `default`, which is off',
      encryptionKey: this.encryptionKey,
      generateSecretString: { passwordLength: 64, excludePunctuation: true },
    });
    acknowledgeRotation(secret);
    this.chain(
      new elasticache.CfnUser(this, 'DefaultUser', {
        engine: 'valkey',
        userId: this.idFor('default'),
        userName: 'default',
        accessString: 'off -@all',
        passwords: [secret.secretValue.unsafeUnwrap()],
      }),
    );
  }
}

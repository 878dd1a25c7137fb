import { Lazy, Stack } from 'aws-cdk-lib';
import * as elasticache from 'aws-cdk-lib/aws-elasticache';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { acknowledgeRotation, CacheUser } from './cache-user.ts';

export interface CacheUsersOptions {
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

/** The users of a cache: one for each service, and the user `default`, which is off. */
export class CacheUsers {
  private readonly cache: Construct;
  private readonly options: CacheUsersOptions;
  private readonly users: elasticache.CfnUser[] = [];

  /** @param cache the construct that the users belong to */
  constructor(cache: Construct, options: CacheUsersOptions) {
    this.cache = cache;
    this.options = options;
    this.addDisabledDefault();
  }

  /** A user for the service of this name. @param accessString its permissions, as rules of `ACL SETUSER` */
  add(name: string, accessString: string): CacheUser {
    const user = new CacheUser(this.cache, `${name[0]?.toUpperCase()}${name.slice(1)}User`, {
      userName: name,
      userId: this.idFor(name),
      accessString,
      passwordVersion: this.options.passwordVersion,
      encryptionKey: this.options.encryptionKey,
    });
    this.chain(user.resource);
    return user;
  }

  /** The group of all users, those that are added later too. */
  createGroup(): elasticache.CfnUserGroup {
    return new elasticache.CfnUserGroup(this.cache, 'Users', {
      engine: 'valkey',
      userGroupId: this.idFor('users'),
      userIds: Lazy.list({ produce: () => this.users.map((user) => user.ref) }),
    });
  }

  /** Users change one after another: a user group refuses a change while one of its users is `modifying`. */
  private chain(user: elasticache.CfnUser): void {
    const previous = this.users.at(-1);
    if (previous) user.addResourceDependency(previous);
    this.users.push(user);
  }

  private idFor(name: string): string {
    const id = `${Stack.of(this.cache).stackName.toLowerCase()}-${name}`;
    if (id.length > maxIdLength)
      throw new Error(
        `\`stackName\` and \`name\` must have ${maxIdLength - 1} characters at most together, got: ${id}; ElastiCache refuses a longer user id`,
      );
    return id;
  }

  /** The user `default` is off. It has a password too, so that turning it on would not open the cache. */
  private addDisabledDefault(): void {
    const secret = new secretsmanager.Secret(this.cache, 'DefaultPassword', {
      description: 'Password of the cache’s user `default`, which is off',
      encryptionKey: this.options.encryptionKey,
      generateSecretString: { passwordLength: 64, excludePunctuation: true },
    });
    acknowledgeRotation(secret);
    this.chain(
      new elasticache.CfnUser(this.cache, 'DefaultUser', {
        engine: 'valkey',
        userId: this.idFor('default'),
        userName: 'default',
        accessString: 'off -@all',
        passwords: [secret.secretValue.unsafeUnwrap()],
      }),
    );
  }
}

import { Validations } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import type * as ssm from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { decryptSecrets } from '../account/decrypt-secrets.ts';
import type { Redis, RedisAccess, RedisClient } from './redis.ts';
import { addSettingSecret, addUrlParameter, readParameter, readSecrets } from './redis-setting.ts';

export interface ExistingRedisProps {
  /** Host name of the primary node, or of a cluster’s configuration endpoint. */
  readonly host: string;

  readonly port: number;
  readonly tls: boolean;

  /**
   * Its security group, which gets an ingress rule for each client.
   * @default - none; clients may then reach the port at any address
   */
  readonly securityGroupId?: string;

  /**
   * ARN of a secret with the login.
   * @default - Redis asks for no login
   */
  readonly secretArn?: string;

  /**
   * What that secret contains: JSON `username` and `password`, or the password of the user `default` as text.
   * @default 'login'
   */
  readonly secretForm?: 'login' | 'password';

  /**
   * ARN of the customer's KMS key that encrypts that secret.
   * @default - AWS's own key
   */
  readonly kmsKeyArn?: string;
}

/**
 * A Redis or Valkey that exists already. Its owner keeps its users, alarms and backups. Every service logs in as the
 * same user, whose permissions the owner decides.
 */
export class ExistingRedis extends Construct implements Redis, RedisAccess {
  readonly endpoint: RedisAccess['endpoint'];
  readonly tls: boolean;
  readonly username: string | undefined;
  readonly passwordField: 'password' | undefined;
  readonly urlParameter: ssm.StringParameter;
  readonly secret: secretsmanager.ISecret | undefined;
  private readonly kmsKeyArn: string | undefined;
  private readonly securityGroup: ec2.IConnectable;
  private settingSecret: secretsmanager.ISecret | undefined;

  constructor(scope: Construct, id: string, props: ExistingRedisProps) {
    super(scope, id);
    const { host, port, tls, securityGroupId, secretArn, secretForm = 'login', kmsKeyArn } = props;
    this.endpoint = { host, port };
    this.tls = tls;
    this.secret = secretArn
      ? secretsmanager.Secret.fromSecretCompleteArn(this, 'Secret', secretArn)
      : undefined;
    this.kmsKeyArn = kmsKeyArn;
    this.passwordField = secretForm === 'login' ? 'password' : undefined;
    // A reference to a field that a secret does not have would fail the deployment.
    this.username =
      secretForm === 'login' ? this.secret?.secretValueFromJson('username').unsafeUnwrap() : undefined;
    this.urlParameter = addUrlParameter(this, 'redis-url', props);
    this.securityGroup = securityGroupId
      ? ec2.SecurityGroup.fromSecurityGroupId(this, 'SecurityGroup', securityGroupId)
      : ec2.Peer.anyIpv4();
  }

  accessFor(): RedisAccess {
    return this;
  }

  settings(): secretsmanager.ISecret {
    this.settingSecret ??= this.createSettingSecret();
    return this.settingSecret;
  }

  grantConnect(client: RedisClient): void {
    client.connections.allowTo(this.securityGroup, ec2.Port.tcp(this.endpoint.port), 'service to Redis');
    client.grantPrincipal.addToPrincipalPolicy(readParameter(this.urlParameter));
    if (!this.secret) return;
    client.grantPrincipal.addToPrincipalPolicy(readSecrets([this.secret]));
    if (this.kmsKeyArn) client.grantPrincipal.addToPrincipalPolicy(decryptSecrets(this, this.kmsKeyArn));
  }

  private createSettingSecret() {
    const secret = addSettingSecret(this, 'Settings', {
      ...this.endpoint,
      tls: this.tls,
      access: this,
      description: 'Redis setting: url and connectionString',
    });
    Validations.of(secret).acknowledge({
      id: 'AwsSolutions::AwsSolutions-SMG4',
      reason: 'Composed from a secret whose owner rotates it.',
    });
    return secret;
  }
}

import { Stack, Validations } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import * as ssm from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { readParameter } from './read-parameter.ts';
import type { RedisAccess, RedisClient } from './redis-access.ts';
import { redisSettings } from './redis-settings.ts';

export interface ExistingRedisProps {
  /** Name of the primary, with cluster mode off. */
  readonly host: string;

  readonly port: number;
  readonly tls: boolean;

  /**
   * Its security group, to which an ingress rule for each client is added.
   * @default - none: clients may reach its port anywhere
   */
  readonly securityGroupId?: string;

  /**
   * ARN of a secret with JSON `username` and `password`.
   * @default - Redis asks for no password
   */
  readonly secretArn?: string;
}

/** A Redis or Valkey that is there already. Its users, alarms and backups are its owner's. */
export class ExistingRedis extends Construct implements RedisAccess {
  readonly urlParameter: ssm.StringParameter;
  readonly secret: secretsmanager.ISecret | undefined;
  private readonly props: ExistingRedisProps;
  private composed: secretsmanager.ISecret | undefined;

  constructor(scope: Construct, id: string, props: ExistingRedisProps) {
    super(scope, id);
    this.props = props;
    this.secret = props.secretArn
      ? secretsmanager.Secret.fromSecretCompleteArn(this, 'Secret', props.secretArn)
      : undefined;
    this.urlParameter = new ssm.StringParameter(this, 'RedisUrl', {
      parameterName: `/realtime-stack/${Stack.of(this).stackName}/redis-url`,
      description: 'Where the backplane is; read by the service at each connect',
      stringValue: `${props.tls ? 'rediss' : 'redis'}://${props.host}:${props.port}`,
    });
  }

  get endpoint(): { readonly host: string; readonly port: number } {
    return { host: this.props.host, port: this.props.port };
  }

  settings(): secretsmanager.ISecret {
    this.composed ??= this.compose();
    return this.composed;
  }

  grantConnect(client: RedisClient): void {
    client.connections.allowTo(this.peer(), ec2.Port.tcp(this.props.port), 'service to Redis');
    client.grantPrincipal.addToPrincipalPolicy(readParameter(this.urlParameter));
    this.secret?.grantRead(client);
  }

  private peer(): ec2.IConnectable {
    const { securityGroupId } = this.props;
    if (!securityGroupId) return ec2.Peer.anyIpv4();
    const group =
      this.node.tryFindChild('SecurityGroup') ??
      ec2.SecurityGroup.fromSecurityGroupId(this, 'SecurityGroup', securityGroupId);
    return group as ec2.ISecurityGroup;
  }

  private compose() {
    const { host, port, tls } = this.props;
    const settings = redisSettings(this, 'Settings', {
      host,
      port,
      tls,
      credentials: this.secret,
      description: 'Redis setting: url and connectionString',
    });
    Validations.of(settings).acknowledge({
      id: 'AwsSolutions::AwsSolutions-SMG4',
      reason: 'Composed of a secret whose rotation is its owner’s.',
    });
    return settings;
  }
}

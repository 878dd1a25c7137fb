import { Fn, SecretValue, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import * as ssm from 'aws-cdk-lib/aws-ssm';
import type { Construct } from 'constructs';
import type { RedisAccess } from './redis.ts';

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
}

const urlOf = ({ host, port, tls }: RedisAddress, login = '') =>
  Fn.join('', [tls ? 'rediss://' : 'redis://', login, `${host}:${port}`]);

/**
 * The SSM parameter from which the service reads, at each connect, where Redis is. It holds no secret.
 *
 * Each kind of cache has a parameter of its own. With one name for all, tasks that connect again while a cluster takes the
 * place of a single node would change over one by one, each at another time.
 *
 * @param name after the stack's path
 */
export function addUrlParameter(
  scope: Construct,
  name: 'redis-url' | `redis-shards-of-${number}-url`,
  address: RedisAddress,
): ssm.StringParameter {
  return new ssm.StringParameter(scope, 'RedisUrl', {
    parameterName: `/realtime-stack/${Stack.of(scope).stackName}/${name}`,
    description: 'Where the backplane is; read by the service at each connect',
    stringValue: urlOf(address),
  });
}

/** The one action that the service calls. The CDK's `grantRead` would also allow the description. */
export function readSecrets(secrets: readonly secretsmanager.ISecret[]): iam.PolicyStatement {
  return new iam.PolicyStatement({
    actions: ['secretsmanager:GetSecretValue'],
    resources: secrets.map(({ secretArn }) => secretArn),
  });
}

/** The one action that the service calls. The CDK's `grantRead` would also allow the history and the description. */
export function readParameter(parameter: ssm.IStringParameter): iam.PolicyStatement {
  return new iam.PolicyStatement({ actions: ['ssm:GetParameter'], resources: [parameter.parameterArn] });
}

export interface SettingSecretProps extends RedisAddress {
  /** How the service logs in. */
  readonly access: Pick<RedisAccess, 'username' | 'secret' | 'passwordField'>;
  readonly description: string;

  /**
   * The customer's KMS key with which it is encrypted.
   * @default - AWS’s own key
   */
  readonly encryptionKey?: kms.IKey;
}

/**
 * A secret with both forms of the Redis setting, each complete with user and password. CloudFormation resolves the
 * password only when it creates the secret. The id must therefore change whenever the password changes.
 */
export function addSettingSecret(scope: Construct, id: string, props: SettingSecretProps) {
  const { host, port, tls, access } = props;
  const { username } = access;
  const password = passwordOf(access)?.unsafeUnwrap();
  const connectionString = [
    `${host}:${port}`,
    ...(password && username ? [`user=${username}`] : []),
    ...(password ? [`password=${password}`] : []),
    `ssl=${tls ? 'true' : 'false'}`,
    // StackExchange.Redis then keeps trying if Redis is unavailable at startup.
    'abortConnect=false',
  ].join(',');
  const url = urlOf(props, password ? `${username ?? ''}:${password}@` : '');
  return new secretsmanager.Secret(scope, id, {
    description: props.description,
    encryptionKey: props.encryptionKey,
    // The template contains references to the password, never the password.
    secretStringValue: SecretValue.unsafePlainText(
      Fn.join('', ['{"url":"', url, '","connectionString":"', connectionString, '"}']),
    ),
  });
}

function passwordOf({ secret, passwordField }: SettingSecretProps['access']): SecretValue | undefined {
  return passwordField ? secret?.secretValueFromJson(passwordField) : secret?.secretValue;
}

/**
 * What is read from AWS. The SDK takes 0.2 s to load: only those who use it pay, when they do.
 */

export interface AwsReader {
  /** @returns an SSM parameter's value */
  parameter(name: string): Promise<string>;
  /** @returns the current version of a secret of Secrets Manager */
  secret(id: string): Promise<string>;
}

const maxAttempts = 3;

/** Region and credentials are the process's own. */
export const awsReader: AwsReader = {
  async parameter(name) {
    const { GetParameterCommand, SSMClient } = await import('@aws-sdk/client-ssm');
    const client = new SSMClient({ maxAttempts });
    try {
      const answer = await client.send(new GetParameterCommand({ Name: name, WithDecryption: true }));
      return answer.Parameter?.Value ?? '';
    } finally {
      client.destroy();
    }
  },

  async secret(id) {
    const { GetSecretValueCommand, SecretsManagerClient } = await import('@aws-sdk/client-secrets-manager');
    const client = new SecretsManagerClient({ maxAttempts });
    try {
      const answer = await client.send(new GetSecretValueCommand({ SecretId: id }));
      return answer.SecretString ?? '';
    } finally {
      client.destroy();
    }
  },
};

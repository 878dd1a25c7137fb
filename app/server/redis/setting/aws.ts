import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm';

/** What is read from AWS. */
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
    const client = new SSMClient({ maxAttempts });
    try {
      const answer = await client.send(new GetParameterCommand({ Name: name, WithDecryption: true }));
      return answer.Parameter?.Value ?? '';
    } finally {
      client.destroy();
    }
  },

  async secret(id) {
    const client = new SecretsManagerClient({ maxAttempts });
    try {
      const answer = await client.send(new GetSecretValueCommand({ SecretId: id }));
      return answer.SecretString ?? '';
    } finally {
      client.destroy();
    }
  },
};

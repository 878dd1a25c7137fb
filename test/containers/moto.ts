import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { freePort } from '../../lib/local/processes/ports.ts';
import { eventually } from '../support/wait.ts';
import { motoServer } from './engine.ts';

/** SSM and Secrets Manager. */
export interface Moto {
  readonly port: number;
  /** @returns the secret's ARN */
  createSecret(name: string, value: string): Promise<string>;
  putParameter(name: string, value: string): Promise<void>;
  stop(): Promise<void>;
}

export async function startMoto(): Promise<Moto> {
  const port = await freePort();
  const child = spawn(motoServer, ['-H', '0.0.0.0', '-p', String(port)], { stdio: 'ignore' });
  const url = `http://127.0.0.1:${port}`;
  await eventually('moto to answer', () => {
    if (child.exitCode !== null) throw new Error(`moto ended with ${child.exitCode}`);
    return fetch(`${url}/moto-api/`).then(
      ({ ok }) => ok,
      () => false,
    );
  });
  const call = async (service: string, target: string, body: object) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': target,
        // Moto reads the service and the region from it, and checks nothing.
        authorization: `AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/${service}/aws4_request, SignedHeaders=host, Signature=0`,
      },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${target}: ${response.status} ${await response.text()}`);
    return (await response.json()) as { ARN: string };
  };
  return {
    port,
    createSecret: async (Name, SecretString) =>
      (await call('secretsmanager', 'secretsmanager.CreateSecret', { Name, SecretString })).ARN,
    putParameter: async (Name, Value) => {
      await call('ssm', 'AmazonSSM.PutParameter', { Name, Value, Type: 'String', Overwrite: true });
    },
    stop: async () => {
      child.kill('SIGTERM');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    },
  };
}

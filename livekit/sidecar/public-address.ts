import { setTimeout as delay } from 'node:timers/promises';

const answerMs = 2_000;
const retryMs = 1_000;

/** @throws Error when it is not known, or not yet */
export type AddressSource = () => Promise<string>;

/** The EC2 host's metadata service (version 2); it is where the AWS SDKs' own variable says, or at its usual place. */
export function metadataService(variables: NodeJS.ProcessEnv): AddressSource {
  const service = variables.AWS_EC2_METADATA_SERVICE_ENDPOINT ?? 'http://169.254.169.254';
  const at = (path: string) => `${service.replace(/\/$/, '')}/latest/${path}`;
  return async () => {
    const token = await ask(at('api/token'), {
      method: 'PUT',
      headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '60' },
    });
    return ask(at('meta-data/public-ipv4'), { headers: { 'x-aws-ec2-metadata-token': token } });
  };
}

/** AWS's page that tells its callers their address: for Fargate, where nothing inside knows it. */
export function checkIp(url = 'https://checkip.amazonaws.com'): AddressSource {
  return () => ask(url, {});
}

/**
 * The node's public address. A host is given its address shortly after its start, so this goes on until there is one.
 *
 * @param told hears why it is not there yet
 */
export async function findPublicAddress(
  source: AddressSource,
  told: (reason: string) => void,
): Promise<string> {
  for (;;) {
    try {
      return checkedAddress(await source());
    } catch (error) {
      told((error as Error).message);
      await delay(retryMs);
    }
  }
}

function checkedAddress(text: string): string {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return text;
  throw new Error('the answer is no IPv4 address');
}

async function ask(url: string, request: RequestInit): Promise<string> {
  const response = await fetch(url, { ...request, signal: AbortSignal.timeout(answerMs) });
  if (!response.ok) throw new Error(`${new URL(url).pathname} answered ${response.status}`);
  return (await response.text()).trim();
}

import { setTimeout as delay } from 'node:timers/promises';

const timeoutMs = 2_000;
const retryMs = 1_000;

/** @throws Error if the address is not known, or not yet */
export type AddressSource = () => Promise<string>;

/** The EC2 host's metadata service, version 2, at its usual address or where the AWS SDKs' variable says. */
export function metadataService(variables: NodeJS.ProcessEnv): AddressSource {
  const service = variables.AWS_EC2_METADATA_SERVICE_ENDPOINT ?? 'http://169.254.169.254';
  const at = (path: string) => `${service.replace(/\/$/, '')}/latest/${path}`;
  return async () => {
    const token = await fetchText(at('api/token'), {
      method: 'PUT',
      headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '60' },
    });
    return fetchText(at('meta-data/public-ipv4'), { headers: { 'x-aws-ec2-metadata-token': token } });
  };
}

/** AWS's page that returns the caller's address: for Fargate, where nothing inside the task knows it. */
export function checkIp(url = 'https://checkip.amazonaws.com'): AddressSource {
  return () => fetchText(url, {});
}

/**
 * The node's public address. A host gets it shortly after its start, so this retries until there is one.
 *
 * @param onRetry is called with the reason for each retry
 */
export async function findPublicAddress(
  source: AddressSource,
  onRetry: (reason: string) => void,
): Promise<string> {
  for (;;) {
    try {
      return asIpv4(await source());
    } catch (error) {
      onRetry((error as Error).message);
      await delay(retryMs);
    }
  }
}

function asIpv4(text: string): string {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return text;
  throw new Error('the response is no IPv4 address');
}

async function fetchText(url: string, request: RequestInit): Promise<string> {
  const response = await fetch(url, { ...request, signal: AbortSignal.timeout(timeoutMs) });
  if (!response.ok) throw new Error(`${new URL(url).pathname} responded with ${response.status}`);
  return (await response.text()).trim();
}

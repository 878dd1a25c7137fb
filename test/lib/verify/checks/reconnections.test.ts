import { CheckFailure } from '../../../../lib/verify/check.ts';
import {
  type Reconnection,
  reconnectElsewhere,
} from '../../../../lib/verify/checks/delivery/reconnections.ts';
import type { ContractClient } from '../../../../lib/verify/clients/contract-client.ts';

const client = {} as ContractClient;

/** A proxy that has one instance alone until `backAt`. */
const sendingUntil = (backAt: number) => async (): Promise<Reconnection[]> => [
  { client, from: 'app-1', to: performance.now() < backAt ? 'app-1' : 'app-2' },
];

test('while the other instance is down, as another check killed it, nobody gives up', async () => {
  const reconnections = await reconnectElsewhere([client], 2, sendingUntil(performance.now() + 500));
  expect(reconnections.at(-1)).toMatchObject({ from: 'app-1', to: 'app-2' });
});

test('a proxy that always leads back is a fault, with how often that was tried', async () => {
  const sending = reconnectElsewhere([client], 2, sendingUntil(Number.POSITIVE_INFINITY));
  const error = await sending.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(CheckFailure);
  expect((error as CheckFailure).fault.found).toMatch(
    /^in \d{2} reconnections no client came back on another one of 2/,
  );
});

test('with one instance a client is cut off once', async () => {
  expect(await reconnectElsewhere([client], 1, sendingUntil(Number.POSITIVE_INFINITY))).toHaveLength(1);
});

import { type Absence, untilElsewhere } from '../../../lib/verify/absence.ts';
import { CheckFailure } from '../../../lib/verify/check.ts';
import type { ContractClient } from '../../../lib/verify/contract-client.ts';

const client = {} as ContractClient;

/** A proxy that has one instance alone until `backAt`. */
const sendingUntil = (backAt: number) => async (): Promise<Absence[]> => [
  { client, from: 'app-1', to: performance.now() < backAt ? 'app-1' : 'app-2' },
];

test('while the other instance is down, as another check killed it, nobody gives up', async () => {
  const absences = await untilElsewhere([client], 2, sendingUntil(performance.now() + 500));
  expect(absences.at(-1)).toMatchObject({ from: 'app-1', to: 'app-2' });
});

test('a proxy that always leads back is told, with how often that was tried', async () => {
  const sending = untilElsewhere([client], 2, sendingUntil(Number.POSITIVE_INFINITY));
  const error = await sending.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(CheckFailure);
  expect((error as CheckFailure).fault.found).toMatch(
    /^in \d{2} absences no client came back on another one of 2/,
  );
});

test('with one instance a client is sent away once', async () => {
  expect(await untilElsewhere([client], 1, sendingUntil(Number.POSITIVE_INFINITY))).toHaveLength(1);
});

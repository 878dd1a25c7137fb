import type { Bill } from './bill.ts';
import { prices } from './prices.ts';
import type { Size } from './sizing.ts';

const dollars = (amount: number) => amount.toFixed(2).padStart(9);
const count = (quantity: number) =>
  String(Number.isInteger(quantity) ? quantity : quantity.toFixed(1)).padStart(5);

const footing = `us-east-1, on demand, prices of ${prices.asOf}, ${prices.hoursAMonth} hours`;

export function reportBill({ items, total, unknown }: Bill): string {
  return [
    ...items.map(({ what, quantity, each }) => `${dollars(quantity * each)}  ${count(quantity)} × ${what}`),
    `${dollars(total)}  a month before traffic`,
    ...unknown.map((what) => `        ?  not in the price table: ${what}`),
    footing,
  ].join('\n');
}

export function reportSizes(sizes: readonly Size[]): string {
  const total = sizes.reduce((sum, { monthly }) => sum + monthly, 0);
  return [
    ...sizes.map(
      ({ what, count: needed, because, monthly }) =>
        `${dollars(monthly)}  ${count(needed)} × ${what}: ${because}`,
    ),
    `${dollars(total)}  a month, beside what stands without a load: \`npm run cost\` has it`,
    footing,
  ].join('\n');
}

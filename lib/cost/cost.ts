import { ConfigError } from '../config/config.ts';
import { help, parseArguments, UsageError } from './arguments.ts';
import { type Bill, billOf } from './bill.ts';
import { prices } from './prices.ts';
import { type Size, sizeOf } from './sizing.ts';

export interface Streams {
  readonly output: { write(text: string): unknown };
  readonly errors: { write(text: string): unknown };
}

/** @returns the exit code: 1 if the knobs or the command line are not valid */
export async function cost(args: readonly string[], { output, errors }: Streams): Promise<number> {
  try {
    output.write(`${await reportFor(args)}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof ConfigError)) throw error;
    errors.write(`${error.message}\n`);
    return 1;
  }
}

async function reportFor(args: readonly string[]): Promise<string> {
  const { context, json, help: wantsHelp, load } = parseArguments(args);
  if (wantsHelp) return help;
  if (load) {
    const sizes = sizeOf(load);
    return json ? JSON.stringify(sizes) : renderSizes(sizes);
  }
  // Loading the CDK takes a second, and the size of a load does not need it.
  const { synthesize } = await import('./synthesize.ts');
  const bill = billOf(synthesize(context).template);
  return json ? JSON.stringify(bill) : renderBill(bill);
}

const dollars = (amount: number) => amount.toFixed(2).padStart(9);
const count = (quantity: number) =>
  String(Number.isInteger(quantity) ? quantity : quantity.toFixed(1)).padStart(5);

const footer = `us-east-1, on demand, prices of ${prices.asOf}, ${prices.hoursAMonth} hours`;

function renderBill({ items, total, unknown }: Bill): string {
  return [
    ...items.map(({ what, quantity, each }) => `${dollars(quantity * each)}  ${count(quantity)} × ${what}`),
    `${dollars(total)}  a month before traffic`,
    ...unknown.map((what) => `        ?  not in the price table: ${what}`),
    footer,
  ].join('\n');
}

function renderSizes(sizes: readonly Size[]): string {
  const total = sizes.reduce((sum, { monthly }) => sum + monthly, 0);
  return [
    ...sizes.map(
      ({ what, count: needed, because, monthly }) =>
        `${dollars(monthly)}  ${count(needed)} × ${what}: ${because}`,
    ),
    `${dollars(total)}  a month, in addition to what the stack costs without load: \`npm run cost\` shows that`,
    footer,
  ].join('\n');
}

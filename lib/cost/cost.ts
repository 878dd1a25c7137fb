import { ConfigError } from '../config/config.ts';
import { help, parseArguments, UsageError } from './arguments.ts';
import { billOf } from './bill.ts';
import { reportBill, reportSizes } from './report.ts';
import { sizeOf } from './sizing.ts';

export interface Streams {
  readonly output: { write(text: string): unknown };
  readonly errors: { write(text: string): unknown };
}

/** @returns the exit code: 1 when knobs or the command line can't be followed */
export async function cost(args: readonly string[], { output, errors }: Streams): Promise<number> {
  try {
    output.write(`${await answer(args)}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof ConfigError)) throw error;
    errors.write(`${error.message}\n`);
    return 1;
  }
}

async function answer(args: readonly string[]): Promise<string> {
  const { context, json, help: asksForHelp, load } = parseArguments(args);
  if (asksForHelp) return help;
  if (load) {
    const sizes = sizeOf(load);
    return json ? JSON.stringify(sizes) : reportSizes(sizes);
  }
  // The CDK takes a second to load: a plan needs none of it.
  const { synthesize } = await import('./synthesize.ts');
  const bill = billOf(synthesize(context));
  return json ? JSON.stringify(bill) : reportBill(bill);
}

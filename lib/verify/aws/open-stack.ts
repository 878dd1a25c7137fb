import { UsageError } from '../arguments.ts';
import { type Check, CheckFailure } from '../check.ts';
import { type AwsClients, openClients } from './clients.ts';
import { readStack } from './deployed-stack.ts';
import { stackChecks } from './stack-checks.ts';

/** What a stack adds to a run. */
export interface OpenedStack {
  /** Where its clients connect. */
  readonly url: string | undefined;
  readonly checks: readonly Check[];
}

/**
 * Reads a stack in the region and with the credentials of the environment.
 *
 * @param clients take the place of the SDK's in tests
 * @throws UsageError when it can't be read, with what to do
 */
export async function openStack(name: string, clients?: AwsClients): Promise<OpenedStack> {
  try {
    const opened = clients ?? (await openClients(undefined));
    const stack = await readStack(name, opened);
    return {
      url: stack.outputs.Url,
      checks: stackChecks.map((check) => ({ ...check, needs: [], run: () => check.run(stack, opened) })),
    };
  } catch (error) {
    if (!(error instanceof CheckFailure)) throw error;
    const { found, cause, fix } = error.fault;
    throw new UsageError(`${found}\n${cause}: ${fix}`);
  }
}

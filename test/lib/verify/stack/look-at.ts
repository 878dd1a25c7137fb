import { CheckFailure, NotProvedError } from '../../../../lib/verify/check.ts';
import { stackChecks } from '../../../../lib/verify/registry.ts';
import { readStack } from '../../../../lib/verify/stack/deployed-stack.ts';
import { openAccount } from './account.ts';
import { type Answers, now, wellAnswers } from './recorded.ts';

/**
 * Each check's proof, or what it found, of a stack that is well but for a change.
 *
 * @param only the one check that looks
 * @default - all of them look
 */
export async function lookAt(
  change: (answers: Answers) => void = () => undefined,
  only?: string,
): Promise<Record<string, string>> {
  const answers = wellAnswers();
  change(answers);
  const { clients, stop } = await openAccount(answers);
  const clock = jest.spyOn(Date, 'now').mockReturnValue(now.getTime());
  try {
    const stack = await readStack('realtime-prod', clients);
    const results: Record<string, string> = {};
    for (const check of stackChecks.filter(({ name }) => only === undefined || name === only))
      results[check.name] = await check.run(stack, clients).then(
        ({ proved, notProved = [] }) => [`✓ ${proved}`, ...notProved].join(' | not proved: '),
        (error: Error) => {
          if (error instanceof NotProvedError) return `– ${error.message}`;
          if (error instanceof CheckFailure)
            return `✗ ${error.fault.found} | ${error.fault.cause} | ${error.fault.fix}`;
          throw error;
        },
      );
    return results;
  } finally {
    clock.mockRestore();
    await stop();
  }
}

/** The same of the one check that looks. */
export async function lookWith(name: string, change: (answers: Answers) => void): Promise<string> {
  const { [name]: result = '' } = await lookAt(change, name);
  return result;
}

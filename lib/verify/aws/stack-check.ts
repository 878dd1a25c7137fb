import type { Check, Proof } from '../check.ts';
import type { AwsClients } from './clients.ts';
import type { DeployedStack } from './deployed-stack.ts';

/** One thing that must hold of a stack on AWS. It reads, and changes nothing. */
export interface StackCheck extends Pick<Check, 'name' | 'title'> {
  /** @throws CheckFailure when it does not hold, CheckSkip when there is nothing to prove */
  run(stack: DeployedStack, clients: AwsClients): Promise<Proof>;
}

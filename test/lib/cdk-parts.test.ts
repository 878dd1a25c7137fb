// Single constructs, the examples and the preflight. One of them: `npx jest test/lib/cdk-parts -t aws/edge`.
import { runSuites } from './cdk-suites.ts';

runSuites('rest');

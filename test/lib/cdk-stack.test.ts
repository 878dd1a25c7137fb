// The whole stack in each of its variants, and what it costs. One of them: `npx jest test/lib/cdk-stack -t stack/alarms`.
import { runSuites } from './cdk-suites.ts';

runSuites('whole stack');

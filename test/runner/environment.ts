import { TestEnvironment } from 'jest-environment-node';
import { keepCompiledModules } from './compiled-modules.ts';
import { endProcesses, watchProcesses } from './processes.ts';

watchProcesses();
keepCompiledModules();

/** Ends behind each file the processes that its tests left, whatever became of the tests. */
export default class ProcessEndingEnvironment extends TestEnvironment {
  override async teardown(): Promise<void> {
    endProcesses();
    await super.teardown();
  }
}

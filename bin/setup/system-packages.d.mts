import type { PackageManager } from '../../lib/local/programs.mjs';

export interface MachineFacts {
  readonly manager: PackageManager | undefined;
  readonly asRoot: boolean;
  readonly sudo: string | undefined;
  readonly terminal: boolean;
  readonly ci: boolean;
}

export function installDecision(facts: MachineFacts): 'install' | 'ask' | 'print';

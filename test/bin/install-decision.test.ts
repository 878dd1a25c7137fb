import { installDecision } from '../../bin/setup/system-packages.mjs';
import { installCommand } from '../../lib/local/programs.mjs';

const person = {
  manager: 'apt-get',
  asRoot: false,
  sudo: '/usr/bin/sudo',
  terminal: true,
  ci: false,
} as const;

test.each([
  ['a person at a terminal is asked', person, 'ask'],
  ['root is not', { ...person, asRoot: true }, 'install'],
  ['nor is CI', { ...person, ci: true }, 'install'],
  ['nor where there is no terminal', { ...person, terminal: false }, 'install'],
  ['without sudo the command is printed', { ...person, sudo: undefined }, 'print'],
  ['without a package manager too', { ...person, manager: undefined }, 'print'],
  ['Homebrew needs no sudo', { ...person, manager: 'brew', sudo: undefined }, 'ask'],
  ['and refuses root', { ...person, manager: 'brew', asRoot: true }, 'print'],
] as const)('%s', (_what, facts, decision) => {
  expect(installDecision(facts)).toBe(decision);
});

test('the commands to copy', () => {
  expect(installCommand('apt-get', 'redis')).toBe(
    'sudo apt-get update && sudo apt-get install -y --no-install-recommends redis-server',
  );
  expect(installCommand('brew', 'chromium')).toBe('brew install --cask chromium');
  expect(installCommand('dnf', 'redis', true)).toBe('dnf install -y valkey');
  expect(installCommand(undefined, 'redis')).toBeUndefined();
});

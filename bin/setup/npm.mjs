import { accessSync, constants, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './command.mjs';

const ownCache = fileURLToPath(new URL('../../.local/npm-cache', import.meta.url));

/** Runs npm: the one that started the set-up, if one did. */
export function npm(args, cwd, environment = process.env) {
  const env = { ...withoutOuterScript(environment), ...cacheFor(environment) };
  const cli = environment.npm_execpath;
  return cli?.endsWith('.js')
    ? run(process.execPath, [cli, ...args], { cwd, env })
    : run('npm', args, { cwd, env });
}

/** The variables in which an outer npm described its script would mislead the inner one. */
function withoutOuterScript(environment) {
  const own = /^npm_(package_|lifecycle_|command$|config_(local_prefix|prefix)$)/;
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !own.test(name)));
}

/** npm fails where it can't write its cache, as in a home that is read-only: then the project has one. */
function cacheFor(environment) {
  const usual = environment.npm_config_cache ?? join(homedir(), '.npm');
  try {
    mkdirSync(usual, { recursive: true });
    accessSync(usual, constants.W_OK);
    return {};
  } catch {
    return { npm_config_cache: ownCache };
  }
}

import { run } from './command.mjs';

/** Runs npm: the one that started the set-up, if one did. */
export function npm(args, cwd, environment = process.env) {
  const env = forNestedNpm(environment);
  const cli = environment.npm_execpath;
  return cli?.endsWith('.js')
    ? run(process.execPath, [cli, ...args], { cwd, env })
    : run('npm', args, { cwd, env });
}

/** Without what an outer npm told its script about itself. */
function forNestedNpm(environment) {
  const own = /^npm_(package_|lifecycle_|command$|config_(local_prefix|prefix)$)/;
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !own.test(name)));
}

import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { note } from './report.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** A registry that has not answered for so long has no network before it, in milliseconds. */
const patienceMs = 4_000;
let isWatched = false;

/**
 * Says within seconds that npm has no network: npm itself tries for minutes, in silence. Once in a set-up, and not behind
 * a proxy, which may reach what this machine does not.
 * @returns ends it
 */
export function watchNetwork(environment = process.env) {
  const config = readConfig(environment);
  if (isWatched || config.proxy) return () => {};
  isWatched = true;
  const { hostname, port, protocol } = new URL(config.registry);
  const socket = connect({ host: hostname, port: Number(port || (protocol === 'http:' ? 80 : 443)) });
  const end = (fault) => {
    clearTimeout(timer);
    socket.destroy();
    if (fault === undefined) return;
    note(
      `npm has no network: ${hostname} is not reached (${fault}). npm goes on trying, and takes what its cache has; Ctrl-C ends it`,
    );
  };
  const timer = setTimeout(() => end(`no answer in ${patienceMs / 1_000} s`), patienceMs);
  socket.once('connect', () => end());
  socket.once('error', ({ code, message }) => end(code ?? message));
  return () => end();
}

/** What npm would take of its environment and of the files that people write; it has more places than these. */
function readConfig(environment) {
  const files = [join(root, '.npmrc'), environment.npm_config_userconfig ?? join(homedir(), '.npmrc')];
  const lines = files.flatMap(linesOf).map((line) => line.split('=', 2).map((part) => part.trim()));
  const urlOf = (...names) => {
    const set = names.map((name) => environment[`npm_config_${name.replace('-', '_')}`]);
    const written = lines.filter(([name]) => names.includes(name)).map(([, value]) => value);
    return [...set, ...written].find((value) => URL.canParse(value ?? ''));
  };
  const proxies = ['https_proxy', 'HTTPS_PROXY', 'http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'];
  return {
    proxy: proxies.map((name) => environment[name]).find(Boolean) ?? urlOf('https-proxy', 'proxy'),
    registry: urlOf('registry') ?? 'https://registry.npmjs.org/',
  };
}

function linesOf(file) {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
}

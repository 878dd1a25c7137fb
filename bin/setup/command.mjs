import { spawn } from 'node:child_process';

const keptCharacters = 8_000;

/**
 * Runs a program with its output held back.
 * @returns {Promise<{ ok: boolean, reason: string, output: string }>} never rejects; `output` is its last part
 */
export function run(command, args, { cwd, env = process.env, terminal = false } = {}) {
  return new Promise((resolve) => {
    const stdio = terminal ? ['inherit', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'];
    const child = spawn(command, args, { cwd, env, stdio });
    let output = '';
    const keep = (data) => {
      output = (output + data).slice(-keptCharacters);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    child.on('error', (error) => resolve({ ok: false, reason: error.message, output }));
    child.on('close', (code, signal) => {
      resolve({ ok: code === 0, reason: signal ?? `exit code ${code}`, output });
    });
  });
}

/** The last lines of a program's output, set off to the right. */
export function lastLines(output, count = 20) {
  const lines = output.trimEnd().split('\n').slice(-count);
  return lines.map((line) => `  | ${line}`).join('\n');
}

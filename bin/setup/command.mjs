import { spawn } from 'node:child_process';
import { note } from './report.mjs';

const keptCharacters = 8_000;
/** A program that did not end so long after SIGTERM gets SIGKILL, in milliseconds. */
const graceMs = 3_000;
/** npm repeats the signal that the terminal sent already, so a second one counts only after so many milliseconds. */
const repeatedSignalMs = 500;
const exitCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };

/** A signal ended the set-up while a program ran. */
export class Interrupted extends Error {
  constructor(signal) {
    super(signal);
    this.exitCode = exitCodes[signal];
  }
}

const running = new Set();
let interruption;
let interruptedAt;

/**
 * Runs a program and keeps the last part of its output. A signal to the set-up ends it.
 * @param {{
 *   cwd?: string, env?: NodeJS.ProcessEnv,
 *   terminal?: boolean, // it uses the terminal
 *   end?: (child: import('node:child_process').ChildProcess) => void, // how a signal ends it
 *   always?: boolean, // it cleans up, so it runs behind a signal too
 * }} options `end` is by default SIGTERM to it and all that it started
 * @returns {Promise<{ ok: boolean, reason: string, output: string }>} rejects with Interrupted alone
 */
export function run(command, args, { cwd, env = process.env, terminal = false, end, always = false } = {}) {
  if (interruption && !always) return Promise.reject(interruption);
  return new Promise((resolve, reject) => {
    const stdio = terminal ? ['inherit', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'];
    const child = spawn(command, args, { cwd, env, stdio, detached: !terminal && !end });
    const entry = { child, end: end ?? endGroup };
    running.add(entry);
    let output = '';
    const keep = (data) => {
      output = (output + data).slice(-keptCharacters);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    const done = (ok, reason) => {
      running.delete(entry);
      if (interruption && !always) reject(interruption);
      else resolve({ ok, reason, output });
    };
    child.on('error', (error) => done(false, error.message));
    child.on('close', (code, signal) => done(code === 0, signal ?? `exit code ${code}`));
  });
}

/** From now on a signal ends what runs, and then the set-up. */
export function endOnSignals() {
  for (const signal of Object.keys(exitCodes)) process.on(signal, () => interrupt(signal));
}

function interrupt(signal) {
  const isRepeated = interruptedAt !== undefined && performance.now() - interruptedAt < repeatedSignalMs;
  if (isRepeated) return;
  if (running.size === 0 || interruption) {
    for (const { child } of running) signalGroup(child, 'SIGKILL');
    process.exit(exitCodes[signal]);
  }
  interruptedAt = performance.now();
  interruption = new Interrupted(signal);
  note('stopping what it has started (Ctrl-C again to force)');
  for (const { child, end } of running) end(child);
}

function endGroup(child) {
  signalGroup(child, 'SIGTERM');
  setTimeout(() => signalGroup(child, 'SIGKILL'), graceMs).unref();
}

function signalGroup({ pid }, signal) {
  try {
    process.kill(-pid, signal);
  } catch {
    // It ended before, or has no group of its own.
  }
}

/** The last lines of a program's output, indented. */
export function lastLines(output, count = 20) {
  const lines = output.trimEnd().split('\n').slice(-count);
  return lines.map((line) => `  | ${line}`).join('\n');
}

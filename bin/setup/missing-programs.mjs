import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { note, SetupFailure } from './report.mjs';
import { commandFor, installProgram, machineFacts, mayInstall, missingPrograms } from './system-packages.mjs';

/** The programs that this run needs and the machine lacks: whether to install them, and what to report in the end. */
export class MissingPrograms {
  /** True once it is decided that something is installed. */
  willInstall = false;
  #wanted;
  #folder;
  #facts;
  #faults = new Map();

  /** @param folder keeps the answer of a person who was asked and declined */
  constructor(wanted, folder) {
    this.#wanted = wanted;
    this.#folder = folder;
    this.missing = missingPrograms(wanted);
  }

  async ask() {
    const undecided = this.missing.filter((what) => !existsSync(this.#declined(what)));
    if (undecided.length === 0) return;
    this.#facts = machineFacts();
    this.willInstall = await mayInstall(undecided, this.#facts);
    if (this.willInstall || !this.#facts.terminal) return;
    for (const what of undecided) this.#remember(what);
  }

  async install() {
    if (!this.willInstall) return;
    // Another set-up may have installed them meanwhile. Package managers lock, so they come one by one.
    for (const what of missingPrograms(this.#wanted)) {
      const fault = await installProgram(what, this.#facts);
      if (fault) this.#faults.set(what, fault);
    }
  }

  /**
   * Reports what is still missing.
   * @param options `mayLackRedis`: there is a single-instance mode. Whatever else is wanted is for tests, and must be there.
   */
  report({ mayLackRedis }) {
    const missing = this.missing.length > 0 ? missingPrograms(this.#wanted) : [];
    if (mayLackRedis) {
      if (missing.includes('redis'))
        note(this.#advice('redis', 'No Redis server: a single instance will run.'));
    } else if (missing.length > 0) {
      const needs = { redis: 'The tests need a Redis server.', chromium: 'The tests need Chromium.' };
      throw new SetupFailure(missing.map((what) => this.#advice(what, needs[what])).join('\n\n'));
    }
  }

  #advice(what, consequence) {
    const fault = this.#faults.get(what);
    const lines = [consequence, `To have it: ${commandFor(what, this.#facts ?? machineFacts())}`];
    return fault ? [`Installing failed: ${fault}`, ...lines].join('\n') : lines.join(' ');
  }

  #declined(what) {
    return join(this.#folder, `declined-${what}`);
  }

  #remember(what) {
    mkdirSync(this.#folder, { recursive: true });
    writeFileSync(this.#declined(what), 'Remove this file to be asked again.\n');
  }
}

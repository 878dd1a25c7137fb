import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SetupFailure } from './failure.mjs';
import { note } from './progress.mjs';
import { commandFor, installProgram, machineFacts, mayInstall, missingPrograms } from './system-packages.mjs';

/** The programs that this run needs: which are missing, whether to install them, and what is said in the end. */
export class Programs {
  /** True once it is clear that something is to be installed. */
  willInstall = false;
  #wanted;
  #folder;
  #facts;
  #faults = new Map();

  /** @param folder keeps the answer of who was asked and said no */
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
    // Again, for another set-up may have installed them meanwhile; and one by one, for package managers lock.
    for (const what of missingPrograms(this.#wanted)) {
      const fault = await installProgram(what, this.#facts);
      if (fault) this.#faults.set(what, fault);
    }
  }

  /** Says what is still missing. Without Redis there is a single-instance mode; without a browser no test. */
  report() {
    const missing = this.missing.length > 0 ? missingPrograms(this.#wanted) : [];
    if (missing.includes('redis'))
      note(this.#advice('redis', 'No Redis server: a single instance will run.'));
    if (missing.includes('chromium'))
      throw new SetupFailure(this.#advice('chromium', 'The tests need Chromium.'));
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

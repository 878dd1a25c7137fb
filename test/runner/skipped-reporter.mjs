/** Names at the end, once, how many tests were skipped and why: none goes unnoticed. */
export default class SkippedReporter {
  #config;

  constructor(globalConfig) {
    this.#config = globalConfig;
  }

  onRunComplete(_contexts, { testResults }) {
    // With -t all others are skipped, which is what was asked for.
    if (this.#config.testNamePattern) return;
    const skipped = testResults
      .flatMap((file) => file.testResults)
      .filter(({ status }) => status !== 'passed' && status !== 'failed');
    if (skipped.length === 0) return;
    const counts = new Map();
    for (const test of skipped) counts.set(reasonOf(test), (counts.get(reasonOf(test)) ?? 0) + 1);
    console.log(`\nSkipped: ${skipped.length} tests.`);
    for (const [reason, count] of counts) console.log(`  ${count}: ${reason}`);
  }
}

/** `test/support/skipping.ts` writes it into the title. */
function reasonOf({ fullName, ancestorTitles }) {
  const reason = ancestorTitles.map((title) => /\[skipped: (.*)\]$/.exec(title)?.[1]).find(Boolean);
  return reason ?? `"${fullName}", without a reason`;
}

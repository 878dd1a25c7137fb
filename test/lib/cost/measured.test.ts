import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { measured, renderMeasured, section, writeMeasured } from '../../../lib/cost/measured.ts';

const readme = () => readFileSync('README.md', 'utf8');

test('the README shows the measured figures', () => {
  expect(section.exec(readme())?.[0]).toBe(renderMeasured(measured));
});

test('a bench replaces the figures in the file and in the README, and nothing else', () => {
  const folder = mkdtempSync(join(tmpdir(), 'measured-'));
  const paths = {
    file: pathToFileURL(join(folder, 'measured.json')),
    readme: pathToFileURL(join(folder, 'README.md')),
  };
  try {
    writeFileSync(paths.readme, readme());
    const faster = { ...measured, redis: { publishMicroseconds: 12.5 } };
    writeMeasured(faster, paths);
    expect(JSON.parse(readFileSync(paths.file, 'utf8'))).toEqual(faster);
    const written = readFileSync(paths.readme, 'utf8');
    expect(written).toContain('takes 80,000 publishes a second with the contract, by its CPU (12.5 µs each)');
    expect(written.replace(section, '')).toBe(readme().replace(section, ''));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

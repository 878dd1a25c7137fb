import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StartError } from '../../../../lib/local/processes/start.ts';
import { PrivateFolder, Watchdog } from '../../../../lib/local/processes/watchdog.ts';
import { extraCaFile, extraCaVariable, makeCertificate } from '../../../../lib/local/redis/certificates.ts';

let watchdog: Watchdog;
let folder: PrivateFolder;

beforeEach(() => {
  watchdog = new Watchdog();
  folder = new PrivateFolder(watchdog);
});

afterEach(() => {
  folder.remove();
  watchdog.close();
});

test('what the environment trusts already is trusted on, beside the new one', async () => {
  const [own, added] = await Promise.all([makeCertificate('own'), makeCertificate('added')]);
  const file = join(folder.path, 'own.pem');
  // A file may end without a line break.
  writeFileSync(file, own.certificate.trimEnd());
  const text = readFileSync(extraCaFile(added.certificate, { [extraCaVariable]: file }, folder), 'utf8');
  const found = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  expect(found).toEqual([own, added].map(({ certificate }) => certificate.trim()));
});

test('alone it is the only one, in a file for its owner’s eyes', async () => {
  const { certificate } = await makeCertificate('alone');
  const file = extraCaFile(certificate, {}, folder);
  expect(readFileSync(file, 'utf8')).toBe(certificate);
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('a file that is not there is an error that names the variable', () => {
  const environment = { [extraCaVariable]: '/nowhere/ca.pem' };
  expect(() => extraCaFile('', environment, folder)).toThrow(StartError);
  expect(() => extraCaFile('', environment, folder)).toThrow(
    `${extraCaVariable} names a file that can't be read`,
  );
});

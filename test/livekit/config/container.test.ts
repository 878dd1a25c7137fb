import { readFileSync } from 'node:fs';
import { liveKitVersion } from '../../../livekit/config/container.ts';

test('the image is that of the version that the configuration is written for, and no tag can move it', () => {
  const [from, ...more] = readFileSync('livekit/server/Dockerfile', 'utf8').match(/^[A-Z]+ .*$/gm) ?? [];
  expect(from).toMatch(
    new RegExp(`^FROM livekit/livekit-server:v${liveKitVersion.replaceAll('.', '\\.')}@sha256:[0-9a-f]{64}$`),
  );
  expect(more).toEqual([]);
});

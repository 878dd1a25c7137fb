import { readFileSync } from 'node:fs';
import type { Variable } from '../../app/server/variables.ts';
import { agentVariables } from '../../livekit/agent/agent-variables.ts';
import { sidecarVariables } from '../../livekit/sidecar/sidecar-variables.ts';

test.each(['livekit/config', 'livekit/agent'])('%s reads its environment as the service does', (folder) => {
  // Each image is built from a folder of its own, so each has the file.
  const own = readFileSync(`${folder}/variables.ts`, 'utf8');
  expect(own).toBe(readFileSync('app/server/variables.ts', 'utf8'));
});

test('what is named like a secret is marked as one', () => {
  const shown = [...Object.values<Variable>(agentVariables), ...Object.values<Variable>(sidecarVariables)]
    .filter(({ name }) => /SECRET|TOKEN|PASSWORD|KEY/.test(name))
    .filter(({ isSecret }) => !isSecret);
  expect(shown).toEqual([]);
});

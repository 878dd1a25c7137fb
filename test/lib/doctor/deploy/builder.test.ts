import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type KnobInput, parseConfig } from '../../../../lib/config/config.ts';
import type { Plan } from '../../../../lib/doctor/deploy/check.ts';
import { builder } from '../../../../lib/doctor/deploy/checks/builder.ts';
import { findingOf } from '../../../../lib/doctor/deploy/finding.ts';

const folder = mkdtempSync(join(tmpdir(), 'realtime-builder-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A container engine that says what it is asked for. @param says the script after `#!/bin/sh` */
function engine(name: string, says: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${says}\n`);
  chmodSync(path, 0o755);
  return path;
}

const docker = (platform: string, buildx: string) =>
  `case "$1" in version) echo ${platform};; buildx) ${buildx};; *) exit 1;; esac`;
const engines = {
  amd: engine('docker-amd', docker('linux/amd64', 'echo v0.20')),
  amdWithoutBuildx: engine('docker-old', docker('linux/amd64', 'exit 1')),
  arm: engine('docker-arm', docker('linux/arm64', 'exit 1')),
  windows: engine('docker-windows', docker('windows/amd64', 'echo v0.20')),
  stopped: engine('docker-stopped', 'echo "Cannot connect to the Docker daemon" >&2; exit 1'),
  podman: engine('podman', 'if [ "$1" = info ]; then echo linux/amd64; else exit 125; fi'),
};

const look = (knobs: KnobInput, environment: NodeJS.ProcessEnv) =>
  findingOf(() =>
    builder.run({
      config: parseConfig(knobs),
      environment: { PATH: process.env.PATH, ...environment },
    } as unknown as Plan),
  );

test.each([
  ['of the tasks’ processor', {}, { CDK_DOCKER: engines.arm }, 'builds for linux/arm64, as the tasks are'],
  [
    'of another, with BuildKit',
    {},
    { CDK_DOCKER: engines.amd },
    'on linux/amd64 builds for arm64 by BuildKit',
  ],
  ['podman', {}, { CDK_DOCKER: engines.podman }, 'on linux/amd64 builds for arm64 by BuildKit'],
  [
    'of the tasks’ processor, LiveKit’s hosts included',
    { environment: 'prod', cpuArchitecture: 'x86_64', liveKitNodes: 2, liveKitInstanceType: 'c7i.xlarge' },
    { CDK_DOCKER: engines.amdWithoutBuildx },
    'as the tasks are (amd64)',
  ],
  [
    'none, where nothing is built',
    { imageUri: 'registry.example.com/app:1' },
    { CDK_DOCKER: engines.stopped },
    'nothing is built here',
  ],
])('a builder will do: %s', async (_, knobs, environment, found) => {
  expect(await look(knobs, environment)).toMatchObject({
    status: 'passed',
    found: expect.stringContaining(found),
  });
});

test.each([
  ['is not installed', {}, { CDK_DOCKER: join(folder, 'absent') }, 'names no running engine', 'imageUri'],
  ['does not run', {}, { CDK_DOCKER: engines.stopped }, 'names no running engine', 'start Docker'],
  ['builds for Windows', {}, { CDK_DOCKER: engines.windows }, 'windows/amd64', 'Linux containers'],
  [
    'can’t build for another processor',
    {},
    { CDK_DOCKER: engines.amdWithoutBuildx },
    'runs on linux/amd64, the tasks on arm64',
    '-c cpuArchitecture=x86_64',
  ],
  [
    'can’t build for LiveKit’s hosts',
    { environment: 'prod', cpuArchitecture: 'x86_64', liveKitNodes: 2 },
    { CDK_DOCKER: engines.amdWithoutBuildx },
    'the tasks on amd64 and arm64',
    'liveKitImageUri, sidecarImageUri, agentImageUri',
  ],
])('a builder that %s is named with the way out', async (_, knobs, environment, found, fix) => {
  expect(await look(knobs, environment)).toMatchObject({
    status: 'failed',
    found: expect.stringContaining(found),
    fix: expect.stringContaining(fix),
  });
});

test('BuildKit that was turned off is named', async () => {
  const environment = { CDK_DOCKER: engines.amd, DOCKER_BUILDKIT: '0' };
  expect(await look({}, environment)).toMatchObject({
    status: 'failed',
    found: expect.stringContaining('DOCKER_BUILDKIT=0'),
    fix: expect.stringContaining('unset'),
  });
});

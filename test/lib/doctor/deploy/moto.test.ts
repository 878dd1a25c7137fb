import { spawnSync } from 'node:child_process';
import { synthesize } from '../../../../lib/cost/synthesize.ts';
import { examine } from '../../../../lib/doctor/deploy/preflight.ts';
import { motoServer } from '../../../containers/engine.ts';
import { type Moto, startMoto } from '../../../containers/moto.ts';
import { describeInFull, isFull } from '../../../support/full-runs.ts';
import { askAwsAt } from '../../../support/servers/aws.ts';
import { skipSuite } from '../../../support/skipping.ts';

/** `findings.suite.ts` has what the doctor says of each answer, in every run. Starting moto takes seconds. */
function describeOnMoto(title: string, suite: () => void): void {
  const isMissing = isFull('tools') && spawnSync(motoServer, ['--help']).status !== 0;
  if (!isMissing) describeInFull('tools', title, suite);
  else skipSuite(title, "no moto_server: `pip install 'moto[server]'`, or name it in MOTO_SERVER", suite);
}

describeOnMoto('the doctor on moto’s AWS', () => {
  const images = Object.fromEntries(
    ['imageUri', 'liveKitImageUri', 'sidecarImageUri', 'agentImageUri'].map((knob) => [
      knob,
      'registry.example.com/it:1',
    ]),
  );
  let synthesized: ReturnType<typeof synthesize>;
  let moto: Moto;
  let askNoMore: () => void;

  beforeAll(async () => {
    synthesized = synthesize({
      ...images,
      environment: 'prod',
      liveKitNodes: '2',
      deletionProtection: 'false',
    });
    moto = await startMoto();
    askNoMore = askAwsAt(`http://127.0.0.1:${moto.port}`);
  });
  afterAll(async () => {
    askNoMore();
    await moto.stop();
  });

  async function look() {
    let text = '';
    const output = { write: (more: string) => (text += more) };
    const { findings } = await examine(synthesized, output, { environment: {} });
    return { text, of: (name: string) => findings.find((each) => each.name === name) };
  }

  test('it sees what is there, and what is missing', async () => {
    const { of } = await look();
    expect(of('account')).toMatchObject({ status: 'passed', found: expect.stringContaining('123456789012') });
    expect(of('bootstrap')).toMatchObject({ status: 'failed', found: 'no bootstrap' });
    expect(of('stack')).toMatchObject({
      status: 'passed',
      found: expect.stringContaining('does not exist yet'),
    });
    expect(of('vpcs')).toMatchObject({ status: 'passed', found: expect.stringContaining('1 in use') });
    expect(of('zones')).toMatchObject({ status: 'passed', found: expect.stringMatching(/use1-az\d/) });
    expect(of('host-zones')?.status).toMatch(/passed|warned/);
  });

  test('once the account is bootstrapped, that is well', async () => {
    await moto.putParameter('/cdk-bootstrap/hnb659fds/version', '30');
    const { of } = await look();
    expect(of('bootstrap')).toMatchObject({ status: 'passed', found: expect.stringContaining('version 30') });
  });
});

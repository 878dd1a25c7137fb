import { spawnSync } from 'node:child_process';
import { synthesize } from '../../../../lib/cost/synthesize.ts';
import { examine } from '../../../../lib/doctor/deploy/preflight.ts';
import { motoServer } from '../../../containers/engine.ts';
import { type Moto, startMoto } from '../../../containers/moto.ts';
import { askAwsAt } from '../../../support/servers/aws.ts';
import { skipSuite } from '../../../support/skipping.ts';

const hasMoto = spawnSync(motoServer, ['--help']).status === 0;
const suite = (title: string, body: () => void) =>
  hasMoto
    ? describe(title, body)
    : skipSuite(title, "no moto_server: `pip install 'moto[server]'`, or name it in MOTO_SERVER", body);

suite('the doctor on moto’s AWS', () => {
  const images = Object.fromEntries(
    ['imageUri', 'liveKitImageUri', 'sidecarImageUri', 'agentImageUri'].map((knob) => [
      knob,
      'registry.example.com/it:1',
    ]),
  );
  const synthesized = synthesize({
    ...images,
    environment: 'prod',
    liveKitNodes: '2',
    deletionProtection: 'false',
  });
  let moto: Moto;
  let askNoMore: () => void;

  beforeAll(async () => {
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

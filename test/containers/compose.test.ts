import { randomUUID } from 'node:crypto';
import { openHub } from '../../app/client/hub.ts';
import { paths } from '../../app/names.ts';
import type { RoomLog } from '../../lib/verify/accounting/audit.ts';
import { runVerify, stateFolder } from '../lib/verify/run-verify.ts';
import { endCalls } from '../livekit/support/participant.ts';
import { Audience } from '../support/clients/audience.ts';
import { openBrowser } from '../support/clients/browser.ts';
import { nothingLost } from '../support/clients/scene.ts';
import { Traffic } from '../support/clients/traffic.ts';
import { historiesFrom } from '../support/redis/room-history.ts';
import { eventually } from '../support/wait.ts';
import { ComposeProject } from './compose-project.ts';
import { describeWithCompose, engineCommand } from './engine.ts';

// An image is built by the first run on a machine, which takes minutes.
jest.setTimeout(1_200_000);

describeWithCompose(
  'the file of Compose: three instances, a plain load balancer, Valkey, two LiveKit nodes',
  () => {
    let project: ComposeProject;
    const clients: { close(): unknown }[] = [];
    const folder = stateFolder();

    beforeAll(async () => {
      // A replacement of all instances takes a minute, in which more is said than a room keeps by default.
      project = await ComposeProject.start({ ROOM_LOG_MESSAGES: '20000', ROOM_LOG_BYTES: '8000000' });
    });
    afterAll(async () => {
      for (const client of clients) client.close();
      folder.remove();
      await endCalls();
      await project?.remove();
    });

    const verify = (secrets = {}) =>
      runVerify(['--url', project.url, '--instances', '3'], { stateFolder: folder.path, secrets });
    const passes = { code: 0, output: expect.stringContaining(' 0 failed') };

    test('verify passes with nothing but the address, and with the secrets of the first start', async () => {
      expect(await verify()).toMatchObject(passes);
      const { AUTH_SECRET: authSecret, SERVICE_TOKEN: serviceToken } = await project.secrets();
      const { output, ...outcome } = await verify({ authSecret, serviceToken });
      expect({ ...outcome, output }).toMatchObject(passes);
      expect(output).toContain('one room joined through');
    });

    test('no secret is in a variable or a command of a container, and no container runs as root with rights', async () => {
      const { REDIS_URL = '', AUTH_SECRET, SERVICE_TOKEN, LIVEKIT_API_SECRET } = await project.secrets();
      const inspected = await engineCommand('inspect', ...(await project.containers()));
      for (const secret of [new URL(REDIS_URL).password, AUTH_SECRET, SERVICE_TOKEN, LIVEKIT_API_SECRET]) {
        expect(secret).toMatch(/^[0-9a-f]{64}$/);
        expect(inspected).not.toContain(secret);
      }
      for (const container of JSON.parse(inspected)) {
        expect(container.HostConfig.ReadonlyRootfs).toBe(true);
        expect(container.HostConfig.Privileged).toBe(false);
      }
    });

    test('the page’s view of the instances shows all three, without what only a laptop can do', async () => {
      const browser = await openBrowser();
      try {
        const page = await browser.context.newPage();
        await page.goto(`${project.url}/#instances`);
        const cards = page.locator('.instances .instance');
        await eventually('three instances on the page', async () => (await cards.count()) === 3);
        await page.getByText('serves you').waitFor();
        expect(await page.getByRole('button', { name: 'Kill' }).count()).toBe(0);
      } finally {
        await browser.close();
      }
    });

    /** Clients in two rooms, all that they publish, and what the contract says of it at the end. */
    async function underLoad(change: () => Promise<void>): Promise<void> {
      const audience = new Audience();
      const rooms = randomUUID();
      for (let number = 0; number < 6; number += 1) {
        const hub = openHub<number>(project.url, 'chat', {
          auth: { token: await guestToken() },
          forceNew: true,
          reconnectionDelay: 50,
          reconnectionDelayMax: 500,
        });
        clients.push(hub);
        await audience.join(hub, `${rooms} ${number % 2}`);
      }
      const traffic = await Traffic.start(audience);
      await traffic.reaches(60);
      await change();
      const published = await traffic.end();
      await audience.level();
      const audit = audience.audit(await histories(audience.rooms));
      expect(audit).toMatchObject(nothingLost(audit.acknowledged, audit.client.expected, 0));
      expect(audit.acknowledged).toBe(published + 2);
    }

    async function guestToken(): Promise<string> {
      const response = await fetch(project.url + paths.session, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{}',
      });
      return ((await response.json()) as { token: string }).token;
    }

    function histories(rooms: readonly string[]): Promise<Map<string, RoomLog>> {
      return historiesFrom(
        {
          xrange: (key, start, end) => project.redis('XRANGE', key, start, end),
          hmget: (key, ...fields) => project.redis('HMGET', key, ...fields),
        },
        rooms,
      );
    }

    test('an instance is killed under load, and nothing is lost', async () => {
      await underLoad(async () => {
        const [victim = ''] = await project.instances();
        await engineCommand('kill', victim);
        await eventually('it to be gone', async () => !(await project.instances()).includes(victim));
        await engineCommand('start', victim);
        await project.up();
      });
    });

    test('all instances are replaced one by one under load, and nothing is lost', async () => {
      await underLoad(async () => {
        const old = await project.instances();
        await project.up(6);
        for (const instance of old) await project.stop(instance);
        expect(await project.instances()).toHaveLength(3);
      });
    });
  },
);

import { LoadBalancer, type LoadBalancerOptions } from '../../../../lib/local/proxy/load-balancer.ts';
import { eventually } from '../../../support/wait.ts';
import { ask, cookie, RawClient } from '../fixtures/client.ts';
import { startTarget, type Target } from '../fixtures/target.ts';

const quick = { intervalMs: 20, timeoutMs: 2_000, healthyThreshold: 2, unhealthyThreshold: 2 };
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

async function balance(options: LoadBalancerOptions = {}): Promise<{ balancer: LoadBalancer; port: number }> {
  const balancer = new LoadBalancer({ healthChecks: quick, ...options });
  open.push(balancer);
  return { balancer, port: await balancer.listen(0) };
}

async function target(balancer: LoadBalancer, id: string, health = 200): Promise<Target> {
  const started = await startTarget(id);
  open.push({ close: () => started.stop() });
  started.health = health;
  balancer.register(started);
  if (health === 200) await becomes(balancer, id, 'healthy');
  return started;
}

function becomes(balancer: LoadBalancer, id: string, health: string): Promise<void> {
  return eventually(
    `${id} to be ${health}`,
    () => balancer.status().find((each) => each.id === id)?.health === health,
  );
}

function connections(balancer: LoadBalancer): number {
  return balancer.status().reduce((sum, each) => sum + each.connections, 0);
}

describe('stickiness', () => {
  test('newcomers go round, and either cookie alone brings a client back', async () => {
    const { balancer, port } = await balance();
    await target(balancer, 'a');
    await target(balancer, 'b');
    const first = await ask(port);
    const second = await ask(port);
    expect([first.body, second.body].sort()).toEqual(['a', 'b']);
    for (const name of ['AWSALB', 'AWSALBCORS']) {
      for (let i = 0; i < 4; i++) {
        const again = await ask(port, { headers: { cookie: `x=1; ${cookie(first.cookies, name)}` } });
        expect(again.body).toBe(first.body);
        expect(again.cookies).toHaveLength(2);
      }
    }
  });

  test('the cookies are those of an ALB and name no target', async () => {
    const { balancer, port } = await balance({ stickinessMs: 3600_000 });
    const only = await target(balancer, 'secret-name');
    only.answer = (_request, response) => response.setHeader('set-cookie', 'own=1').end();
    const { cookies } = await ask(port);
    expect(cookies[0]).toBe('own=1');
    expect(cookies[1]).toMatch(/^AWSALB=[\w-]+; Expires=[^;]+ GMT; Path=\/$/);
    expect(cookies[2]).toMatch(/^AWSALBCORS=[\w-]+; Expires=[^;]+ GMT; Path=\/; SameSite=None$/);
    const value = cookie(cookies, 'AWSALB').split('=')[1] as string;
    expect(Buffer.from(value, 'base64url').toString('latin1')).not.toMatch(/secret|127\.0|\/1/);
    const expires = Date.parse(/Expires=([^;]+)/.exec(cookies[1] as string)?.[1] as string);
    expect(expires - Date.now()).toBeGreaterThan(3500_000);
    expect(expires - Date.now()).toBeLessThanOrEqual(3600_000);
  });

  test.each([
    ['garbage', 'AWSALB=%%%; AWSALBCORS='],
    ['a short value', 'AWSALB=YQ'],
    ['a long value', `AWSALB=${'A'.repeat(400)}`],
  ])('%s in the cookies is ignored', async (_what, header) => {
    const { balancer, port } = await balance();
    await target(balancer, 'a');
    await target(balancer, 'b');
    const bodies = [
      await ask(port, { headers: { cookie: header } }),
      await ask(port, { headers: { cookie: header } }),
    ];
    expect(bodies.map(({ body }) => body).sort()).toEqual(['a', 'b']);
  });

  test('a cookie of another load balancer is ignored', async () => {
    const other = await balance();
    await target(other.balancer, 'a');
    const { cookies } = await ask(other.port);
    const { balancer, port } = await balance();
    await target(balancer, 'a');
    await target(balancer, 'b');
    const headers = { cookie: cookie(cookies, 'AWSALB') };
    const bodies = [await ask(port, { headers }), await ask(port, { headers })];
    expect(bodies.map(({ body }) => body).sort()).toEqual(['a', 'b']);
  });

  test('a successor under the same id is another target', async () => {
    const { balancer, port } = await balance();
    const a = await target(balancer, 'a');
    await target(balancer, 'b');
    let first = await ask(port);
    if (first.body !== 'a') first = await ask(port);
    await balancer.deregister('a', 0);
    balancer.register(a);
    await becomes(balancer, 'a', 'healthy');
    const headers = { cookie: cookie(first.cookies, 'AWSALB') };
    const bodies = [await ask(port, { headers }), await ask(port, { headers })];
    expect(bodies.map(({ body }) => body).sort()).toEqual(['a', 'b']);
  });

  test('the answer to an upgrade carries the cookies too, and they hold for requests', async () => {
    const { balancer, port } = await balance();
    await target(balancer, 'a');
    await target(balancer, 'b');
    const client = RawClient.upgrade(port);
    await eventually('the 101', () => client.text.includes('\r\n\r\n'));
    expect(client.text).toMatch(/^HTTP\/1\.1 101 /);
    expect(client.text.match(/^set-cookie: AWSALB(CORS)?=/gim)).toHaveLength(2);
    const served = /x-target: (\w)/i.exec(client.text)?.[1];
    const sticky = /AWSALB=[^;]+/.exec(client.text)?.[0] as string;
    expect((await ask(port, { headers: { cookie: sticky } })).body).toBe(served);
    expect((await ask(port, { headers: { cookie: sticky } })).body).toBe(served);
    const again = RawClient.upgrade(port, [`Cookie: ${sticky}`]);
    await eventually('the 101', () => again.text.includes('\r\n\r\n'));
    expect(again.text).toContain(`: ${served}`);
    client.socket.destroy();
    again.socket.destroy();
  });
});

describe('health', () => {
  test('failing checks take a target out, its clients go elsewhere with a new cookie, passing ones bring it back', async () => {
    const { balancer, port } = await balance();
    const targets = { a: await target(balancer, 'a'), b: await target(balancer, 'b') };
    const first = await ask(port);
    const mine = first.body as 'a' | 'b';
    const headers = { cookie: cookie(first.cookies, 'AWSALB') };
    targets[mine].health = 503;
    await becomes(balancer, mine, 'unhealthy');
    const moved = await ask(port, { headers });
    expect(moved.body).not.toBe(mine);
    const newHeaders = { cookie: cookie(moved.cookies, 'AWSALB') };
    targets[mine].health = 200;
    await becomes(balancer, mine, 'healthy');
    expect((await ask(port, { headers: newHeaders })).body).toBe(moved.body);
  });

  test('an open WebSocket outlives its target’s turn to unhealthy', async () => {
    const { balancer, port } = await balance();
    const only = await target(balancer, 'a');
    const client = RawClient.upgrade(port);
    await eventually('the 101', () => client.text.includes('\r\n\r\n'));
    only.health = 500;
    await becomes(balancer, 'a', 'unhealthy');
    client.socket.write('still here');
    await eventually('the echo', () => client.text.endsWith('still here'));
    client.socket.destroy();
  });

  test('with none healthy all are tried', async () => {
    const { balancer, port } = await balance();
    const a = await target(balancer, 'a');
    const b = await target(balancer, 'b');
    a.health = 500;
    b.health = 404;
    await becomes(balancer, 'a', 'unhealthy');
    await becomes(balancer, 'b', 'unhealthy');
    const bodies = [await ask(port), await ask(port)];
    expect(bodies.map(({ body }) => body).sort()).toEqual(['a', 'b']);
  });

  test('a new target takes requests after its first passing check, not before', async () => {
    const { balancer, port } = await balance({ healthChecks: { ...quick, intervalMs: 60_000 } });
    const late = await target(balancer, 'late', 503);
    expect((await ask(port)).status).toBe(503);
    expect(balancer.status()[0]?.health).toBe('initial');
    late.health = 200;
    await becomes(balancer, 'late', 'healthy');
    expect((await ask(port)).body).toBe('late');
  });

  test('a target that never passes is unhealthy in the end', async () => {
    const { balancer } = await balance();
    await target(balancer, 'never', 503);
    await becomes(balancer, 'never', 'unhealthy');
  });

  test('a target that does not answer its check in time fails it', async () => {
    const { balancer } = await balance({ healthChecks: { ...quick, timeoutMs: 50, path: '/hangs' } });
    const stuck = await target(balancer, 'stuck', 0);
    stuck.answer = () => {};
    await becomes(balancer, 'stuck', 'unhealthy');
    await eventually('a check', () => stuck.requests.length > 0);
  });
});

describe('rules', () => {
  const rules = [
    {
      group: 'media',
      paths: ['/rtc', '/rtc/*', '/v?/x+'],
      healthChecks: { ...quick, path: '/', matcher: [200, 406] },
    },
  ];

  test('without stickiness it sets no cookies, and gives requests of one client to all targets', async () => {
    const { balancer, port } = await balance({ sticky: false });
    for (const id of ['t1', 't2']) await target(balancer, id);
    const bodies = new Set<string>();
    await eventually('both to have answered', async () => {
      const { body, cookies } = await ask(port);
      expect(cookies).toEqual([]);
      return bodies.add(body).size === 2;
    });
  });

  test('requests for a target that died get 502 until its successor answers, where nothing is checked', async () => {
    const { balancer, port } = await balance({ sticky: false, dead: 'answer 502' });
    await target(balancer, 't1');
    const dying = await target(balancer, 't2');
    await dying.stop();
    balancer.died('t2');
    const met = async (needed: readonly (string | number)[]) => {
      const seen = new Set<string | number>();
      await eventually(needed.join(' and '), async () => {
        const { status, body } = await ask(port);
        seen.add(status === 200 ? body : status);
        return needed.every((each) => seen.has(each));
      });
      return seen;
    };
    await met([502, 't1']);
    expect(balancer.status()).toMatchObject([{ id: 't1' }, { id: 't2', health: 'unhealthy' }]);
    await target(balancer, 't2');
    expect(balancer.status()).toHaveLength(2);
    expect([...(await met(['t1', 't2']))].sort()).toEqual(['t1', 't2']);
    await balancer.deregister('t2', 0);
    expect(balancer.status()).toHaveLength(1);
  });

  test('a target that died is gone, where such are skipped', async () => {
    const { balancer, port } = await balance({ sticky: false });
    await target(balancer, 't1');
    await (await target(balancer, 't2')).stop();
    balancer.died('t2');
    await eventually('it to be gone', () => balancer.status().length === 1);
    for (let asked = 0; asked < 8; asked += 1) expect((await ask(port)).body).toBe('t1');
    balancer.died('t2');
  });

  test('some paths have targets of their own, whose clients are not sticky', async () => {
    const { balancer, port } = await balance({ rules });
    await target(balancer, 'service');
    expect((await ask(port, { path: '/rtc' })).status).toBe(503);
    const media = [await startTarget('m1'), await startTarget('m2')];
    open.push({ close: () => Promise.all(media.map((each) => each.stop())).then(() => undefined) });
    for (const each of media) {
      each.answer = (_request, response) => response.writeHead(406).end(each.id);
      balancer.register(each, 'media');
      await becomes(balancer, each.id, 'healthy');
    }
    const answers = [await ask(port, { path: '/rtc' }), await ask(port, { path: '/rtc/v1?a=/b' })];
    expect(answers.map(({ body }) => body).sort()).toEqual(['m1', 'm2']);
    expect(answers.flatMap(({ cookies }) => cookies)).toEqual([]);
    const { cookies } = await ask(port);
    const headers = { cookie: cookie(cookies, 'AWSALB') };
    const sticky = [
      await ask(port, { path: '/v1/x+', headers }),
      await ask(port, { path: '/v2/x+', headers }),
    ];
    expect(sticky.map(({ body }) => body).sort()).toEqual(['m1', 'm2']);
    for (const path of ['/rtcs', '/a/rtc', '/', '/v10/x+', '/v1/xx', '/?/rtc/'])
      expect((await ask(port, { path })).body).toBe('service');
    const client = new RawClient(
      port,
      'GET /rtc?x=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
    await eventually('the 101', () => client.text.includes('\r\n\r\n'));
    expect(client.text).toMatch(/x-target: m/i);
    expect(client.text).not.toMatch(/set-cookie/i);
    client.socket.destroy();
    await balancer.deregister('m1', 0);
    await balancer.deregister('m2', 0);
    expect((await ask(port, { path: '/rtc' })).status).toBe(503);
  });

  test('a target of a group that no rule has is a mistake', async () => {
    const { balancer } = await balance({ rules });
    expect(() => balancer.register({ id: 'x', host: '127.0.0.1', port: 1 }, 'medio')).toThrow('"medio"');
  });
});

describe('the load balancer’s own answers', () => {
  test('503 with no target, for an upgrade too', async () => {
    const { port } = await balance();
    const answer = await ask(port);
    expect(answer.status).toBe(503);
    expect(answer.body).toContain('503 Service Unavailable');
    expect(answer.cookies).toEqual([]);
    const client = RawClient.upgrade(port);
    await eventually('the end', () => client.closed);
    expect(client.text).toMatch(/^HTTP\/1\.1 503 Service Unavailable\r\n/);
  });

  test('502 when the target refuses the connection', async () => {
    const { balancer, port } = await balance({ healthChecks: { ...quick, intervalMs: 60_000 } });
    await (await target(balancer, 'a')).stop();
    expect((await ask(port, { method: 'POST', body: 'x' })).status).toBe(502);
    const client = RawClient.upgrade(port);
    await eventually('the end', () => client.closed);
    expect(client.text).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\n/);
    expect(connections(balancer)).toBe(0);
  });

  test('502 when the target hangs up before it answered', async () => {
    const { balancer, port } = await balance();
    (await target(balancer, 'a')).answer = (request) => request.socket.destroy();
    expect((await ask(port)).status).toBe(502);
  });

  test('504 when the target is silent for the idle timeout', async () => {
    const { balancer, port } = await balance({ idleTimeoutMs: 150 });
    (await target(balancer, 'a')).answer = () => {};
    expect((await ask(port)).status).toBe(504);
    expect((await ask(port, { method: 'POST', body: 'x' })).status).toBe(504);
    await eventually('nothing to be under way', () => connections(balancer) === 0);
  });

  test('400 for an upgrade to anything but a WebSocket', async () => {
    const { balancer, port } = await balance();
    await target(balancer, 'a');
    const client = new RawClient(
      port,
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
    );
    await eventually('the end', () => client.closed);
    expect(client.text).toMatch(/^HTTP\/1\.1 400 /);
  });
});

describe('forwarding', () => {
  test('the target learns who asked and how', async () => {
    const { balancer, port } = await balance();
    const only = await target(balancer, 'a');
    await ask(port, { headers: { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-proto': 'https' } });
    expect(only.requests[0]?.headers).toMatchObject({
      'x-forwarded-for': '203.0.113.7, 127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-port': String(port),
      host: `127.0.0.1:${port}`,
    });
  });

  test('bodies stream in both directions', async () => {
    const { balancer, port } = await balance();
    (await target(balancer, 'a')).answer = (request, response) => request.pipe(response);
    const head = 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n';
    const client = new RawClient(port, head);
    await eventually('the first part, before the second is sent', () => client.text.includes('first'));
    client.socket.write('6\r\nsecond\r\n0\r\n\r\n');
    await eventually('the end of the body', () => client.text.endsWith('0\r\n\r\n'));
    expect(client.text).toContain('second');
    client.socket.destroy();
  });

  test('a large body arrives whole', async () => {
    const { balancer, port } = await balance();
    (await target(balancer, 'a')).answer = (request, response) => request.pipe(response);
    const body = 'x'.repeat(4_000_000);
    expect((await ask(port, { method: 'POST', body })).body.length).toBe(body.length);
  });

  test('a client that waits for 100 Continue gets it', async () => {
    const { balancer, port } = await balance();
    (await target(balancer, 'a')).answer = (request, response) => request.pipe(response);
    const client = new RawClient(
      port,
      'POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n',
    );
    await eventually('the 100', () => client.text.startsWith('HTTP/1.1 100 Continue'));
    client.socket.write('body');
    await eventually('the answer', () => client.text.includes('body'));
    client.socket.destroy();
  });

  test('headers too large are refused, and the next request is served', async () => {
    const { balancer, port } = await balance();
    await target(balancer, 'a');
    expect((await ask(port, { headers: { 'x-big': 'y'.repeat(70_000) } })).status).toBe(431);
    expect((await ask(port, { headers: { 'x-big': 'y'.repeat(8_000) } })).status).toBe(200);
  });

  test('a target that dies in the middle breaks the answer off', async () => {
    const { balancer, port } = await balance();
    (await target(balancer, 'a')).answer = (request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half', () => request.socket.destroy());
    };
    await expect(ask(port)).rejects.toThrow();
    await eventually('nothing to be under way', () => connections(balancer) === 0);
  });

  test('a client that gives up takes its request to the target along', async () => {
    const { balancer, port } = await balance();
    const only = await target(balancer, 'a');
    let aborted = false;
    only.answer = (request) => request.on('close', () => (aborted = true));
    const client = new RawClient(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await eventually('the request', () => only.requests.length === 1);
    client.socket.resetAndDestroy();
    await eventually('the target to notice', () => aborted);
    await eventually('nothing to be under way', () => connections(balancer) === 0);
    only.answer = (_request, response) => response.end('alive');
    expect((await ask(port)).body).toBe('alive');
  });

  test('a refusal of an upgrade is passed on', async () => {
    const { balancer, port } = await balance();
    const only = await target(balancer, 'a');
    only.upgrade = (socket) => socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 8\r\n\r\nno entry');
    const client = RawClient.upgrade(port);
    await eventually('the answer', () => client.text.includes('no entry'));
    expect(client.text).toMatch(/^HTTP\/1\.1 403 /);
    expect(client.text).toMatch(/set-cookie: AWSALB=/i);
    client.socket.destroy();
  });
});

describe('WebSockets', () => {
  test.each(['client', 'target'])('when the %s vanishes, so does the other side', async (side) => {
    const { balancer, port } = await balance();
    const only = await target(balancer, 'a');
    const client = RawClient.upgrade(port);
    await eventually('the 101', () => client.text.includes('\r\n\r\n'));
    let targetClosed = false;
    only.tunnels[0]?.on('close', () => (targetClosed = true));
    expect(connections(balancer)).toBe(1);
    if (side === 'client') client.socket.resetAndDestroy();
    else only.tunnels[0]?.resetAndDestroy();
    await eventually('both to be closed', () => client.closed && targetClosed);
    await eventually('nothing to be under way', () => connections(balancer) === 0);
  });

  test('one that is idle is cut; one that is not stays', async () => {
    const { balancer, port } = await balance({ idleTimeoutMs: 1_000 });
    const only = await target(balancer, 'a');
    const [idle, busy] = [RawClient.upgrade(port), RawClient.upgrade(port)];
    const beat = setInterval(() => busy.socket.write('.'), 20);
    await eventually('the idle one to be cut', () => idle.closed);
    clearInterval(beat);
    expect(busy.closed).toBe(false);
    expect(only.tunnels).toHaveLength(2);
    await eventually('the other one to be cut, once it is idle', () => busy.closed);
  });

  test('a target that never answers the upgrade costs a 504', async () => {
    const { balancer, port } = await balance({ idleTimeoutMs: 150 });
    (await target(balancer, 'silent')).upgrade = () => {};
    const client = RawClient.upgrade(port);
    await eventually('the end', () => client.closed);
    expect(client.text).toMatch(/^HTTP\/1\.1 504 /);
  });
});

describe('deregistration', () => {
  test('no new requests, cookies or not; what is open stays until the delay is over', async () => {
    const { balancer, port } = await balance();
    const a = await target(balancer, 'a');
    const client = RawClient.upgrade(port);
    await eventually('the 101', () => client.text.includes('\r\n\r\n'));
    const sticky = /AWSALB=[^;]+/.exec(client.text)?.[0] as string;
    await target(balancer, 'b');
    let gone = false;
    const leaving = balancer.deregister('a', 700).then(() => {
      gone = true;
    });
    expect(balancer.status().find(({ id }) => id === 'a')?.health).toBe('draining');
    for (let i = 0; i < 3; i++) {
      const answer = await ask(port, { headers: { cookie: sticky } });
      expect(answer.body).toBe('b');
    }
    client.socket.write('open');
    await eventually('the echo', () => client.text.endsWith('open') || gone);
    expect(client.closed && !gone).toBe(false);
    await leaving;
    await eventually('the cut', () => client.closed);
    expect(balancer.status().map(({ id }) => id)).toEqual(['b']);
    expect(a.requests).toHaveLength(1);
  });

  test('it ends early once nothing is open', async () => {
    const { balancer, port } = await balance();
    await target(balancer, 'a');
    const client = RawClient.upgrade(port);
    await eventually('the 101', () => client.text.includes('\r\n\r\n'));
    const leaving = balancer.deregister('a', 3600_000);
    client.socket.end();
    await leaving;
    expect(balancer.status()).toEqual([]);
  });

  test('a request under way ends in peace', async () => {
    const { balancer, port } = await balance();
    const only = await target(balancer, 'a');
    let finish = () => {};
    only.answer = (_request, response) => {
      finish = () => response.end('finished');
    };
    const answer = ask(port);
    await eventually('the request', () => only.requests.length === 1);
    const leaving = balancer.deregister('a', 3600_000);
    finish();
    expect((await answer).body).toBe('finished');
    await leaving;
  });
});

test('closing cuts what is open and frees the port', async () => {
  const { balancer, port } = await balance();
  await target(balancer, 'a');
  const client = RawClient.upgrade(port);
  await eventually('the 101', () => client.text.includes('\r\n\r\n'));
  await balancer.close();
  await eventually('the cut', () => client.closed);
  await expect(ask(port)).rejects.toThrow('ECONNREFUSED');
});

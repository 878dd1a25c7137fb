import { Metrics } from '../../../../app/server/metrics/metrics.ts';
import { summarizeConnections } from '../../../../app/server/observability.ts';
import { Connections } from '../../../../app/server/socketio/engine/connections.ts';
import { linesOf } from '../../../support/log-lines.ts';
import { openServer } from '../../../support/servers/socket-server.ts';
import { eventually } from '../../../support/wait.ts';

test('many connections that come and go are one line for each period, and none where nothing changed', async () => {
  const server = await openServer();
  const all = new Metrics();
  const metrics = all.connections;
  metrics.watch(new Connections(server.io, metrics));
  const clients = await Promise.all(Array.from({ length: 20 }, () => server.connect('')));
  const { log, lines } = linesOf();
  const end = summarizeConnections(metrics, log, 100);
  await eventually('the first line', () => lines().length > 0);
  for (const client of clients) client.disconnect();
  await eventually('all to be gone', () => metrics.count === 0);
  const closedCounts = () => lines().map(({ closed }) => Number(closed));
  await eventually('all to be told', () => closedCounts().reduce((sum, each) => sum + each, 0) === 20);
  const count = lines().length;
  await new Promise((resolve) => setTimeout(resolve, 350));
  expect(lines()).toHaveLength(count);
  expect(lines()[0]).toMatchObject({
    msg: 'connections',
    level: 'info',
    connections: 20,
    opened: 20,
    closed: 0,
  });
  end();
  all.close();
  await server.close();
});

import { readFileSync } from 'node:fs';
import { metricNamespace, metricService, serviceMetrics } from '../../../app/metric-names.ts';
import { sidecarMetrics } from '../../../livekit/sidecar/names.ts';
import { type Json, referenced, resourcesOf } from '../aws/synthesis.ts';
import {
  altered,
  alteredHere,
  describeAltered,
  resourcesById,
  synthesize,
  templateOf,
  variants,
} from './templates.ts';

interface Widget {
  readonly type: 'text' | 'metric' | 'alarm';
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly properties: Json;
}

function widgetsOf(knobs: Json): Widget[] {
  const [dashboard] = resourcesOf(templateOf(altered(knobs)), 'AWS::CloudWatch::Dashboard');
  return JSON.parse(referenced(dashboard.DashboardBody)).widgets;
}

interface Shown {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly options: Json;
}

/** A graph's metrics stand as `[namespace, name, dimension, value, …, options]`, expressions as `[{expression}]`. */
function metricsOf({ properties }: Widget): Shown[] {
  const rows: Json[][] = properties.metrics ?? [];
  return rows
    .filter(([first]) => typeof first === 'string')
    .map((row) => {
      const [namespace = '', name = '', ...rest] = row.filter((each) => typeof each === 'string');
      const pairs = Array.from({ length: rest.length / 2 }, (_, index) =>
        rest.slice(2 * index, 2 * index + 2),
      );
      return { namespace, name, dimensions: Object.fromEntries(pairs), options: row.at(-1) };
    });
}

const isText = ({ type }: Widget) => type === 'text';

test('prod has one, and dev has one if it wants it', () => {
  templateOf(variants.prod).resourceCountIs('AWS::CloudWatch::Dashboard', 1);
  templateOf(variants.dev).resourceCountIs('AWS::CloudWatch::Dashboard', 0);
  templateOf({ dashboard: true }).resourceCountIs('AWS::CloudWatch::Dashboard', 1);
});

describeAltered((knobs, variant) => {
  const template = templateOf(knobs);
  let widgets: Widget[];
  let shown: Shown[];
  beforeAll(() => {
    widgets = widgetsOf(knobs);
    shown = widgets.flatMap(metricsOf);
  });

  test('is read from top to bottom: alarms first, then a heading above each row of graphs', () => {
    expect(widgets.slice(0, 2).map(({ type }) => type)).toEqual(['text', 'alarm']);
    const headings = widgets.slice(2).filter(isText);
    const titles = headings.map(({ properties }) => /^## (.+)$/m.exec(properties.markdown)?.[1]);
    const hasCalls = 'liveKitNodes' in knobs;
    const hasRedis = variant !== 'no backplane';
    expect(titles).toEqual([
      'Who is connected',
      'What is published and delivered',
      'What was lost, and who was notified',
      ...(hasRedis ? ['Redis'] : []),
      ...(hasCalls ? ['Calls'] : []),
      ...(variant === 'several shards' ? ['LiveKit’s cache'] : []),
      'The edge',
      'What it costs',
    ]);
    for (const [index, { y, height }] of headings.entries()) {
      const end = headings[index + 1]?.y ?? Number.POSITIVE_INFINITY;
      const below = widgets.filter((widget) => !isText(widget) && widget.y >= y + height && widget.y < end);
      expect(below.length).toBeGreaterThan(0);
    }
  });

  test('each metric of AWS says of which resource it is: without a dimension it would be the whole account’s', () => {
    const ofAws = shown.filter(({ namespace }) => namespace.startsWith('AWS/'));
    expect(ofAws.filter(({ dimensions }) => Object.keys(dimensions).length === 0)).toEqual([]);
  });

  test('no widget covers another, and each has metrics', () => {
    const cells = widgets.flatMap(({ x, y, width, height }) =>
      Array.from(
        { length: width * height },
        (_, cell) => `${x + (cell % width)},${y + Math.floor(cell / width)}`,
      ),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(Math.max(...widgets.map(({ x, width }) => x + width))).toBe(24);
    for (const widget of widgets.filter(({ type }) => type === 'metric'))
      expect([widget.properties.title, widget.properties.metrics.length]).not.toContain(0);
  });

  test('has the state of every alarm', () => {
    const own = Object.entries(template.findResources('AWS::CloudWatch::Alarm'))
      .filter(([, { Properties }]: Json) => Properties.AlarmDescription)
      .map(([id]) => id);
    expect([...(widgets[1] as Widget).properties.alarms].sort()).toEqual(own.sort());
  });

  test('shows every metric that an alarm reads', () => {
    const read = resourcesOf(template, 'AWS::CloudWatch::Alarm')
      .filter(({ AlarmDescription }) => AlarmDescription)
      .flatMap(({ MetricName, Namespace, Metrics = [] }: Json) => [
        ...(MetricName ? [`${Namespace} ${MetricName}`] : []),
        ...Metrics.flatMap(({ MetricStat }: Json) =>
          MetricStat ? [`${MetricStat.Metric.Namespace} ${MetricStat.Metric.MetricName}`] : [],
        ),
      ]);
    const names = new Set(shown.map(({ namespace, name }) => `${namespace} ${name}`));
    expect([...new Set(read)].filter((name) => !names.has(name)).sort()).toEqual([]);
  });

  test('shows metrics of the service and of the sidecars as they write them', () => {
    const { stackName } = synthesize(knobs).stack;
    const written: Record<string, readonly string[]> = { ...sidecarMetrics, [metricService]: serviceMetrics };
    const own = shown.filter(({ namespace }) => namespace === metricNamespace);
    expect(own.length).toBeGreaterThan(15);
    for (const { name, dimensions } of own) {
      expect(Object.keys(dimensions)).toEqual(['Deployment', 'Service']);
      expect(dimensions.Deployment).toBe(stackName);
      expect(written[dimensions.Service as string]).toContain(name);
    }
    // What is written a minute is summed over a minute: over five it would be five times as much.
    for (const { options } of own.filter((metric) => metric.options.stat === 'Sum'))
      expect(options.period).toBe(60);
  });

  test('finds CloudFront’s metrics in us-east-1, wherever the stack is', () => {
    const global = shown.filter(({ namespace }) => namespace === 'AWS/CloudFront');
    const types = Object.values(resourcesById(knobs)).map(({ Type }) => Type);
    expect(global.length > 0).toBe(types.includes('AWS::CloudFront::Distribution'));
    for (const { options, dimensions } of global) {
      expect(dimensions.Region).toBe('Global');
      expect(variant === 'everything on' ? options.region : 'us-east-1').toBe('us-east-1');
    }
  });
});

test('names articles of the RUNBOOK that exist', () => {
  const headings = [...readFileSync('RUNBOOK.md', 'utf8').matchAll(/^### (.+)$/gm)].map(([, title]) => title);
  const named = alteredHere.flatMap((name) =>
    widgetsOf(variants[name])
      .filter(isText)
      .flatMap(({ properties }) => /\*\*RUNBOOK\.md:\*\* (.+)$/.exec(properties.markdown)?.[1] ?? [])
      .flatMap((list) => [...list.matchAll(/\*([^*]+)\*/g)].map(([, title]) => title)),
  );
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((title) => !headings.includes(title))).toEqual([]);
});

test('keeps its periods, and its name differs between two regions', () => {
  const [dashboard] = resourcesOf(templateOf(variants.prod), 'AWS::CloudWatch::Dashboard');
  expect(dashboard.DashboardName).toBe('realtime-prod-us-east-1');
  expect(JSON.parse(referenced(dashboard.DashboardBody))).toMatchObject({ periodOverride: 'inherit' });
});

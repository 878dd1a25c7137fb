import { stateOf } from './alarm-state.ts';
import { evaluate } from './metric-math.ts';

const series = { a: [1, 2, undefined], b: [10, 0, 30] };
const read = (name: string) => series[name as keyof typeof series];

test.each([
  ['a + b * 2', [21, 2, undefined]],
  ['(a + b) * 2', [22, 4, undefined]],
  ['b / a', [10, 0, undefined]],
  ['a / b', [0.1, undefined, undefined]],
  ['FILL(a, 0) + b', [11, 2, 30]],
  ['a > 1 AND b < 5', [0, 1, undefined]],
  ['a > 1 OR b > 5', [1, 1, undefined]],
  ['IF(b > 5, FILL(a, 7), 0)', [1, 0, 7]],
  ['MAX([a, b])', [10, 2, undefined]],
  ['SUM([FILL(a, 0), b])', [11, 2, 30]],
])('%s', (expression, expected) => {
  expect(evaluate(expression, 3, read)).toEqual(expected);
});

test.each(['ANOMALY_DETECTION_BAND(a)', 'AVG([a, b])', 'a +', 'a b', 'a # b', 'IF(a, b)', 'MAX(a, b)'])(
  'what it does not know is an error: %s',
  (expression) => expect(() => evaluate(expression, 3, read)).toThrow(),
);

test('an alarm counts the points beyond its threshold, and those that are missing as it says', () => {
  const alarm = {
    MetricName: 'M',
    Period: 60,
    Statistic: 'Sum',
    Threshold: 1,
    ComparisonOperator: 'GreaterThanThreshold',
    DatapointsToAlarm: 2,
    EvaluationPeriods: 3,
  };
  const last = (...values: (number | undefined)[]) => ({
    M: [...Array(30 - values.length).fill(9), ...values],
  });
  const state = (treat: string, ...values: (number | undefined)[]) =>
    stateOf({ ...alarm, TreatMissingData: treat }, last(...values));
  expect(state('notBreaching', 2, 1, 2)).toBe('ALARM');
  expect(state('notBreaching', 2, 1, 1)).toBe('OK');
  expect(state('notBreaching', 2, undefined, undefined)).toBe('OK');
  expect(state('breaching', 2, undefined, 0)).toBe('ALARM');
  expect(state('missing', undefined, undefined, undefined)).toBe('INSUFFICIENT_DATA');
  expect(state('missing', 2, undefined, 2)).toBe('ALARM');
});

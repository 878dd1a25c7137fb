import { runInNewContext } from 'node:vm';
import { resourcesOf } from '../aws/synthesis.ts';
import { templateOf } from './templates.ts';

interface Cookie {
  value: string;
  attributes?: string;
  multiValue?: Cookie[];
}

const [{ FunctionCode: code }] = resourcesOf(templateOf(), 'AWS::CloudFront::Function');

/** The cookies of a response after CloudFront has run the function. */
const responseOf = (cookies: Record<string, Cookie>): Record<string, Cookie> =>
  runInNewContext(`${code}; handler(event)`, { event: { response: { cookies } } }).cookies;

test('the load balancer’s cookies become secure, whatever other attributes they have', () => {
  expect(
    responseOf({
      AWSALB: { value: 'a', attributes: 'Expires=Mon, 30 Nov 2026 21:00:00 GMT; Path=/' },
      AWSALBCORS: { value: 'b', attributes: 'Path=/; SameSite=None' },
      AWSALBTG: { value: 'c' },
    }),
  ).toEqual({
    AWSALB: { value: 'a', attributes: 'Expires=Mon, 30 Nov 2026 21:00:00 GMT; Path=/; Secure' },
    AWSALBCORS: { value: 'b', attributes: 'Path=/; SameSite=None; Secure' },
    AWSALBTG: { value: 'c', attributes: 'Secure' },
  });
});

test('a cookie that is secure, and a cookie of the service, do not change', () => {
  const cookies = {
    AWSALBCORS: { value: 'b', attributes: 'Path=/; Secure; SameSite=None' },
    session: { value: 's', attributes: 'Path=/' },
  };
  expect(responseOf(structuredClone(cookies))).toEqual(cookies);
});

test('each of several cookies with the same name becomes secure', () => {
  const { AWSALB } = responseOf({ AWSALB: { value: 'a', multiValue: [{ value: 'a' }, { value: 'b' }] } });
  expect(AWSALB?.multiValue?.map(({ attributes }) => attributes)).toEqual(['Secure', 'Secure']);
});

test('CloudFront accepts a function of 10 KB', () => {
  expect(code.length).toBeLessThan(10_240);
});

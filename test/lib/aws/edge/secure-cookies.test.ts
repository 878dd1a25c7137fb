import { runInNewContext } from 'node:vm';
import { secureCookies } from '../../../../lib/aws/edge/secure-cookies.ts';

interface Cookie {
  value: string;
  attributes?: string;
  multiValue?: Cookie[];
}

const answered = (cookies: Record<string, Cookie>): Record<string, Cookie> =>
  runInNewContext(`${secureCookies}; handler(event)`, { event: { response: { cookies } } }).cookies;

test('the load balancer’s cookies become secure, whatever else they say', () => {
  expect(
    answered({
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

test('one that is secure, and one of the service’s own, stay as they are', () => {
  const cookies = {
    AWSALBCORS: { value: 'b', attributes: 'Path=/; Secure; SameSite=None' },
    session: { value: 's', attributes: 'Path=/' },
  };
  expect(answered(structuredClone(cookies))).toEqual(cookies);
});

test('each of several of one name', () => {
  const { AWSALB } = answered({ AWSALB: { value: 'a', multiValue: [{ value: 'a' }, { value: 'b' }] } });
  expect(AWSALB?.multiValue?.map(({ attributes }) => attributes)).toEqual(['Secure', 'Secure']);
});

test('CloudFront takes 10 KB', () => {
  expect(secureCookies.length).toBeLessThan(10_240);
});

import type { IncomingMessage } from 'node:http';
import { clientAddress, isSecure, networkOf } from '../../../../app/server/net/client-address.ts';

function request(headers: Record<string, string>, remoteAddress = '10.0.0.1'): IncomingMessage {
  return { headers, socket: { remoteAddress } } as unknown as IncomingMessage;
}
const via = (list: string) => request({ 'x-forwarded-for': list });

test.each([
  ['no proxy: what a client writes is not believed', 0, '1.1.1.1', '10.0.0.1'],
  ['one proxy: the last entry', 1, '203.0.113.9', '203.0.113.9'],
  ['one proxy, a client that wrote a list of its own', 1, '1.1.1.1, 2.2.2.2, 203.0.113.9', '203.0.113.9'],
  ['two proxies: the last but one', 2, '1.1.1.1, 203.0.113.9, 10.1.1.1', '203.0.113.9'],
  ['a list that did not come by both proxies', 2, '1.1.1.1', '10.0.0.1'],
  ['an entry with a port', 1, '203.0.113.9:50312', '203.0.113.9'],
  ['an IPv6 entry with a port', 1, '[2001:db8::7]:50312', '2001:db8::7'],
  ['an entry that is no address', 1, 'unknown', '10.0.0.1'],
  ['an IPv4 address in IPv6 clothes', 1, '::ffff:203.0.113.9', '203.0.113.9'],
  ['an empty list', 1, '', '10.0.0.1'],
])('%s', (_case, hops, list, address) => {
  expect(clientAddress(via(list), hops)).toBe(address);
});

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['2001:db8::7', '2001:db8:0:0::/64'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:DB8:0001:2::', '2001:db8:1:2::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
])('limits count %s as %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});

test('TLS is believed of a trusted proxy alone', () => {
  const forwarded = request({ 'x-forwarded-proto': 'https' });
  expect(isSecure(forwarded, 0)).toBe(false);
  expect(isSecure(forwarded, 1)).toBe(true);
  expect(isSecure(request({ 'x-forwarded-proto': 'https, http' }), 1)).toBe(false);
});

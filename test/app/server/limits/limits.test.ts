import { openLimits } from '../../../../app/server/limits/limits.ts';

const of = (name: string, burst: number) => ({ name, burst, perSecond: 0.001 });
const ada = { subject: 'ada', guest: false };
const bob = { subject: 'bob', guest: false };

test('a user who floods takes nothing of the others at its address', () => {
  const limits = openLimits({
    deployment: 'test',
    rules: { publishesByUser: of('publish', 2), publishesByAddress: of('publish-address', 5) },
  });
  expect([1, 2].map(() => limits.publish(ada, '192.0.2.1'))).toEqual([undefined, undefined]);
  for (let call = 0; call < 100; call += 1) expect(limits.publish(ada, '192.0.2.1')).toBeGreaterThan(0);
  expect([1, 2].map(() => limits.publish(bob, '192.0.2.1'))).toEqual([undefined, undefined]);
  limits.close();
});

test('many users of one address are bounded together; an IPv6 network is one address', () => {
  const limits = openLimits({ deployment: 'test', rules: { handshakesByAddress: of('handshake', 3) } });
  const taken = ['2001:db8::1', '2001:db8::2', '2001:db8:0:0:ffff::3', '2001:db8::4'].map((address) =>
    limits.handshake(address),
  );
  expect(taken.slice(0, 3)).toEqual([undefined, undefined, undefined]);
  expect(taken[3]).toBeGreaterThan(0);
  expect(limits.handshake('2001:db8:0:1::1')).toBeUndefined();
  limits.close();
});

import { createHmac } from 'node:crypto';
import { signToken, type TokenClaims, verifyToken } from '../../../../app/server/auth/hs256.ts';

const secret = 'a secret of thirty-two characters';
const other = 'another secret of thirty-two char';
const inAnHour = Math.floor(Date.now() / 1000) + 3_600;
const verify = (token: string, rules = {}) => verifyToken(token, [secret], rules);

test('a token says who it is of, for how long and for which rooms', () => {
  const rooms = ['chat/lobby', { room: 'chat/board', from: 12 }];
  const token = signToken({ sub: 'ada', name: 'Ada', exp: inAnHour, jti: 't1', rooms }, secret);
  expect(verify(token)).toEqual({
    subject: 'ada',
    name: 'Ada',
    guest: false,
    expiresAt: inAnHour * 1000,
    tokenId: 't1',
    rooms: [{ room: 'chat/lobby' }, { room: 'chat/board', from: 12 }],
  });
});

test('while a secret is replaced, tokens of both are taken', () => {
  const claims = { sub: 'ada', exp: inAnHour };
  for (const key of [secret, other]) {
    expect(verifyToken(signToken(claims, key), [secret, other], {}).subject).toBe('ada');
  }
});

const parts = signToken({ sub: 'ada', exp: inAnHour }, secret).split('.') as [string, string, string];
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const signed = (head: unknown, payload: unknown) => {
  const text = `${encode(head)}.${encode(payload)}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
};
const hs256 = { alg: 'HS256' };
const of = (claims: Partial<TokenClaims>) => signToken({ sub: 'ada', exp: inAnHour, ...claims }, secret);

test.each([
  ['no token at all', 'x', 'the token is no JWT'],
  ['four parts', `${parts.join('.')}.x`, 'the token is no JWT'],
  ['a header that is no JSON', `x.${parts[1]}.${parts[2]}`, 'the token is no JWT'],
  ['no algorithm', signed({ alg: 'none' }, { sub: 'ada', exp: inAnHour }), 'not signed with HS256'],
  ['another algorithm', signed({ alg: 'RS256' }, { sub: 'ada', exp: inAnHour }), 'not signed with HS256'],
  ['another key', signToken({ sub: 'ada', exp: inAnHour }, other), 'signature does not hold'],
  ['no signature', `${parts[0]}.${parts[1]}.`, 'signature does not hold'],
  ['a changed payload', `${parts[0]}.${encode({ sub: 'eve', exp: inAnHour })}.${parts[2]}`, 'signature'],
  ['too much of it', 'x'.repeat(8_193), 'too long'],
  ['its end', of({ exp: 1 }), 'has expired'],
  ['no end', signed(hs256, { sub: 'ada' }), 'exp'],
  ['no subject', signed(hs256, { exp: inAnHour }), 'sub'],
  ['an empty subject', of({ sub: '' }), 'sub'],
  ['the subject of the model', of({ sub: 'assistant' }), 'sub: is reserved'],
  ['control characters', of({ sub: 'a\nb' }), 'sub: must hold no control characters'],
  ['a beginning in the future', signed(hs256, { sub: 'ada', exp: inAnHour, nbf: inAnHour }), 'not valid yet'],
  ['rooms that are no list', signed(hs256, { sub: 'ada', exp: inAnHour, rooms: 'chat/*' }), 'rooms'],
  ['a payload that is no object', signed(hs256, 'ada'), "claims can't be used"],
])('a token with %s is refused', (_what, token, message) => {
  expect(() => verify(token)).toThrow(message);
});

test('issuer and audience are held to, where they are configured', () => {
  const rules = { issuer: 'https://id.example', audience: 'realtime' };
  const token = of({ iss: 'https://id.example', aud: 'realtime' });
  expect(verify(token, rules).subject).toBe('ada');
  expect(() => verify(of({ aud: 'realtime' }), rules)).toThrow('another issuer');
  expect(() => verify(of({ iss: 'https://id.example', aud: 'billing' }), rules)).toThrow('another audience');
});

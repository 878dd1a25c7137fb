import { createHmac } from 'node:crypto';
import { signToken, type TokenClaims, verifyToken } from '../../../../app/server/auth/hmac.ts';
import { hashOfToken } from '../../../../app/server/auth/identity.ts';

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
    tokenHash: hashOfToken('t1'),
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
  ['an extension', signed({ ...hs256, crit: ['exp'], exp: 1 }, { sub: 'ada', exp: inAnHour }), '(crit)'],
  ['an unencoded payload', signed({ ...hs256, crit: ['b64'] }, { sub: 'ada', exp: inAnHour }), '(crit)'],
  ['an empty list of them', signed({ ...hs256, crit: [] }, { sub: 'ada', exp: inAnHour }), '(crit)'],
  ['a header that is null', signed(null, { sub: 'ada', exp: inAnHour }), 'not signed with HS256'],
  ['another key', signToken({ sub: 'ada', exp: inAnHour }, other), 'signature does not hold'],
  ['no signature', `${parts[0]}.${parts[1]}.`, 'signature does not hold'],
  ['a changed payload', `${parts[0]}.${encode({ sub: 'eve', exp: inAnHour })}.${parts[2]}`, 'signature'],
  ['too much of it', 'x'.repeat(8_193), 'too long'],
  ['its end', of({ exp: 1 }), 'has expired'],
  ['no end', signed(hs256, { sub: 'ada' }), 'exp'],
  ['no subject', signed(hs256, { exp: inAnHour }), 'sub'],
  ['an empty subject', of({ sub: '' }), 'sub'],
  ['the subject of the model', of({ sub: 'assistant' }), 'sub: is reserved'],
  ['control characters', of({ sub: 'a\nb' }), 'sub: must be well-formed Unicode without control characters'],
  ['a beginning in the future', signed(hs256, { sub: 'ada', exp: inAnHour, nbf: inAnHour }), 'not valid yet'],
  ['rooms that are no list', signed(hs256, { sub: 'ada', exp: inAnHour, rooms: 'chat/*' }), 'rooms'],
  ['a payload that is no object', signed(hs256, 'ada'), "claims can't be used"],
])('a token with %s is refused', (_what, token, message) => {
  expect(() => verify(token)).toThrow(message);
});

const half = '\ud800';
const odd = [undefined, null, '', 7, half, 'a\nb', 'x'.repeat(64), 'x'.repeat(129), {}, ['a'], true, false];

test.each([
  ...['sub', 'jti', 'name', 'guest'].flatMap((claim) => odd.map((value) => [claim, value] as const)),
  ...[null, '1', {}, inAnHour + 0.5, -1].map((value) => ['exp', value] as const),
])(
  'with the claim %s as %j a token is taken as it is with more claims, or refused in the same words',
  (claim, value) => {
    const verdict = (more: object) => {
      try {
        return verify(signed(hs256, { sub: 'ada', exp: inAnHour, [claim]: value, ...more }));
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(verdict({})).toEqual(verdict({ nbf: 1 }));
  },
);

test.each([
  ['HS384', 'sha384'],
  ['HS512', 'sha512'],
])('%s is taken, and holds by its own hash alone', (alg, hash) => {
  const text = `${encode({ alg, typ: 'JWT' })}.${encode({ sub: 'ada', exp: inAnHour })}`;
  const signedBy = (name: string) => `${text}.${createHmac(name, secret).update(text).digest('base64url')}`;
  expect(verify(signedBy(hash)).subject).toBe('ada');
  expect(() => verify(signedBy('sha256'))).toThrow('signature does not hold');
});

const longForm = 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/';

test.each<[string, object, string, string]>([
  ["ASP.NET's", { nameid: 'ada', unique_name: 'Ada' }, 'nameid', 'unique_name'],
  [
    "ASP.NET's long ones",
    { [`${longForm}nameidentifier`]: 'ada', [`${longForm}name`]: 'Ada' },
    `${longForm}nameidentifier`,
    `${longForm}name`,
  ],
  ['inside others', { user: { id: 'ada', names: { shown: 'Ada' } } }, 'user.id', 'user.names.shown'],
])('subject and name are taken from claims that are %s', (_whose, payload, subjectClaim, nameClaim) => {
  // `sub` and `name` of such a token are of someone else, and mean nothing here.
  const token = signed(hs256, { sub: 'app-7', name: 'App', exp: inAnHour, ...payload });
  expect(verify(token, { subjectClaim, nameClaim })).toMatchObject({ subject: 'ada', name: 'Ada' });
});

test.each<[string, object, string]>([
  ['is absent, whatever `sub` says', { sub: 'ada' }, 'user.id: '],
  ['is no text', { user: { id: 7 } }, 'user.id: '],
  ['leads into a text', { user: 'ada' }, 'user.id: '],
  ['is reserved', { user: { id: 'assistant' } }, 'user.id: is reserved'],
])('a token whose own claim of the subject %s is refused by its name', (_what, payload, message) => {
  const token = signed(hs256, { exp: inAnHour, ...payload });
  expect(() => verify(token, { subjectClaim: 'user.id' })).toThrow(message);
});

test('what every object inherits is no claim', () => {
  const token = signed(hs256, { sub: 'ada', exp: inAnHour });
  expect(() => verify(token, { subjectClaim: 'constructor.name' })).toThrow('constructor.name: ');
});

test('issuer and audience are held to, where they are configured', () => {
  const rules = { issuer: 'https://id.example', audience: 'realtime' };
  const token = of({ iss: 'https://id.example', aud: 'realtime' });
  expect(verify(token, rules).subject).toBe('ada');
  expect(() => verify(of({ aud: 'realtime' }), rules)).toThrow('another issuer');
  expect(() => verify(of({ iss: 'https://id.example', aud: 'billing' }), rules)).toThrow('another audience');
});

import { redactor } from '../../../lib/verify/redaction.ts';

const redact = redactor(['service-token-0123456789', 'short', '']);

test.each([
  ['HTTP 400 {"got":"service-token-0123456789"}', 'HTTP 400 {"got":"(a secret)"}'],
  ['cut so that nothing is given away: servic', 'cut so that nothing is given away: servic'],
  ['cut behind the middle: service-token-01', 'cut behind the middle: (a secret)'],
  [
    'cut, with more behind: "service-t", twice: service-token-0123456789',
    'cut, with more behind: "(a secret)", twice: (a secret)',
  ],
  ['within a word: xservice-token-0123456789x', 'within a word: x(a secret)x'],
  ['https://service-token.example.com', 'https://service-token.example.com'],
  ['a service-tokens list', 'a service-tokens list'],
  ['Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.c2ln, and on', 'Bearer (a token), and on'],
  ['the beginning of one: eyJhbGciOi', 'the beginning of one: (a token)'],
  ['a short secret is a word like others: short', 'a short secret is a word like others: short'],
  ['\u001b[2Jgone\r\u0007\u202e', ' [2Jgone   '],
  ['one line\nand another', 'one line\nand another'],
])('%j', (words, shown) => {
  expect(redact(words)).toBe(shown);
});

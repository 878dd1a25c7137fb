import { parseRedisSetting } from '../../../../../app/server/redis/setting/setting.ts';

const read = (text: string) => parseRedisSetting(text, 'REDIS_URL');

describe('a URL', () => {
  test.each([
    ['redis://cache', { endpoints: [{ host: 'cache', port: 6379 }], tls: false, database: 0 }],
    [
      'rediss://app:p%40ss%2Fw@cache.example:6380/2',
      {
        endpoints: [{ host: 'cache.example', port: 6380 }],
        username: 'app',
        password: 'p@ss/w',
        tls: true,
        database: 2,
      },
    ],
    [
      'redis://:only@cache',
      { endpoints: [{ host: 'cache', port: 6379 }], password: 'only', tls: false, database: 0 },
    ],
    [
      'rediss://app:p%2Fw@one:7000,two,[::1]:7002/0',
      {
        endpoints: [
          { host: 'one', port: 7000 },
          { host: 'two', port: 6379 },
          { host: '::1', port: 7002 },
        ],
        username: 'app',
        password: 'p/w',
        tls: true,
        database: 0,
      },
    ],
    ['redis://[::1]:7000', { endpoints: [{ host: '::1', port: 7000 }], tls: false, database: 0 }],
  ])('%s', (text, expected) => {
    expect(read(text)).toEqual(expected);
  });
});

describe("StackExchange's shape", () => {
  test.each([
    ['cache:6379', { endpoints: [{ host: 'cache', port: 6379 }], tls: false, database: 0 }],
    ['cache', { endpoints: [{ host: 'cache', port: 6379 }], tls: false, database: 0 }],
    ['cache,ssl=true', { endpoints: [{ host: 'cache', port: 6380 }], tls: true, database: 0 }],
    [
      'a:1,b:2,user=app,password=s3=cret,ssl=True,abortConnect=false,defaultDatabase=3',
      {
        endpoints: [
          { host: 'a', port: 1 },
          { host: 'b', port: 2 },
        ],
        username: 'app',
        password: 's3=cret',
        tls: true,
        database: 3,
      },
    ],
    [
      'cache:6379,password=ab://cd#?',
      {
        endpoints: [{ host: 'cache', port: 6379 }],
        password: 'ab://cd#?',
        tls: false,
        database: 0,
      },
    ],
    [
      '[::1]:7000, connectTimeout=5000',
      { endpoints: [{ host: '::1', port: 7000 }], tls: false, database: 0 },
    ],
  ])('%s', (text, expected) => {
    expect(read(text)).toEqual(expected);
  });
});

describe('a setting that can not be used', () => {
  test.each([
    ['http://cache', 'the scheme must be redis or rediss, got: http'],
    ['redis://', 'not a URL'],
    ['redis://app:hunter2@cache:port', 'not a URL'],
    ['redis://app:hunter2@one:7000,two:hunter2', 'an endpoint must be host:port'],
    ['redis://one,', 'an endpoint must be host:port'],
    ['redis://cache:0', 'the port must be 1–65535, got: 0'],
    ['redis://cache/hunter2', 'the database must be a whole number'],
    ['redis://app:hunter2%@cache', 'the password has a stray %'],
    [
      'redis://cache?timeout=1',
      'a `#` or `?` ends the address in a URL: in a user or password write %23 or %3F',
    ],
    ['redis://app:12#hunter2@cache', 'a `#` or `?` ends the address in a URL'],
    ['redis://app:hunter2#x@cache:6379', 'a `#` or `?` ends'],
    ['redis://:12?hunter2#x@cache', 'a `#` or `?` ends'],
    ['rediss://hunter2/x:y@cache', 'the database must be a whole number (a `/` in a password'],
    ['user=app,password=hunter2', 'no host in it'],
    ['cache:99999', 'an endpoint must be host:port'],
    ['cache,password=a,ssl=hunter2', '`ssl` must be true or false'],
    ['cache,defaultDatabase=x', 'the database must be a whole number'],
    ['cache,sll=true', 'unknown option `sll`'],
    ['cache,password=a,hunter2=b', 'stands behind the password (which can not hold a comma'],
    ['cache,password=a,hunter=b', 'stands behind the password (which can not hold a comma'],
    ['cache,password=a,hunter2', 'an endpoint stands behind the password'],
    ['cache,password=a,hunter:2', 'an endpoint stands behind the password'],
  ])('%s', (text, fault) => {
    expect(() => read(text)).toThrow(`REDIS_URL is not a usable Redis setting: `);
    expect(() => read(text)).toThrow(fault);
    expect(() => read(text)).not.toThrow(/hunter|maybe/);
  });

  test('tells all faults at once', () => {
    expect(() => read('cache:0,ssl=maybe,defaultDatabase=x')).toThrow(
      /`ssl` must be true or false;.*host:port.*endpoint 1 is not.*database/,
    );
  });
});

import { resolveRedisSetting } from '../../../../../app/server/redis/setting/source.ts';

const fromSsm = (value: string) => ({ parameter: async () => value, secret: async () => '' });
const fromSecret = (value: string) => ({
  parameter: async () => 'rediss://cache',
  secret: async () => value,
});

test('the connection string comes before the URL, the URL before the parameter', async () => {
  const all = { connectionString: 'first', url: 'redis://second', parameterName: '/third' };
  const hostOf = async (sources: typeof all | object) => {
    const found = await resolveRedisSetting(sources, fromSsm('redis://third'));
    return found.kind === 'redis' ? found.setting.endpoints[0].host : found.kind;
  };
  expect(await hostOf(all)).toBe('first');
  expect(await hostOf({ ...all, connectionString: undefined })).toBe('second');
  expect(await hostOf({ parameterName: '/third' })).toBe('third');
  expect(await hostOf({})).toBe('none');
});

test.each(['', '  ', 'none', 'NONE'])('a source that says %p ends the search: no backplane', async (url) => {
  const found = await resolveRedisSetting({ url, parameterName: '/p' }, fromSsm('redis://unseen'));
  expect(found.kind).toBe('none');
  expect(found.source).toContain('REDIS_URL');
});

test('a parameter that says none means single-instance mode', async () => {
  const found = await resolveRedisSetting({ parameterName: '/app/redis' }, fromSsm('none'));
  expect(found).toEqual({ kind: 'none', source: 'the SSM parameter /app/redis is `none`' });
});

test('a malformed value names the parameter it came from', async () => {
  await expect(resolveRedisSetting({ parameterName: '/app/redis' }, fromSsm('http://x'))).rejects.toThrow(
    'the SSM parameter /app/redis is not a usable Redis setting',
  );
});

test.each([
  ['ParameterNotFound', 'Check its name and the region'],
  ['AccessDeniedException', 'Allow ssm:GetParameter'],
  ['CredentialsProviderError', 'or set REDIS_URL'],
  ['TimeoutError', 'network path to AWS'],
])('a parameter that fails with %s says what to do', async (name, fix) => {
  const fail = async () => {
    throw Object.assign(new Error('no'), { name });
  };
  const aws = { parameter: fail, secret: fail };
  await expect(resolveRedisSetting({ parameterName: '/p' }, aws)).rejects.toThrow(fix);
});

describe('a secret', () => {
  const sources = { parameterName: '/p', secretId: 'redis-user' };

  test.each([
    ['{"username":"app","password":"s3cret"}', { username: 'app', password: 's3cret' }],
    ['{"password":"s3cret"}', { password: 's3cret' }],
    ['s3cret\n', { password: 's3cret' }],
  ])("gives the user and password in the setting's place: %j", async (text, credentials) => {
    const found = await resolveRedisSetting(sources, fromSecret(text));
    expect(found).toMatchObject({ setting: { endpoints: [{ host: 'cache' }], tls: true, ...credentials } });
  });

  test.each(['', '{"password":""}', '{"pass":"hunter2"}', '{hunter2'])(
    'that is no good is named: %j',
    async (text) => {
      const resolving = resolveRedisSetting(sources, fromSecret(text));
      await expect(resolving).rejects.toThrow('the secret redis-user');
      await expect(resolving).rejects.not.toThrow('hunter2');
    },
  );

  test('that may not be read says what to allow', async () => {
    const denied = async () => {
      throw Object.assign(new Error('no'), { name: 'AccessDeniedException' });
    };
    const aws = { parameter: async () => 'rediss://cache', secret: denied };
    await expect(resolveRedisSetting(sources, aws)).rejects.toThrow('Allow secretsmanager:GetSecretValue');
  });

  test('is not asked for in single-instance mode', async () => {
    expect(await resolveRedisSetting({ url: 'none', secretId: 'unread' }, fromSecret('x'))).toMatchObject({
      kind: 'none',
    });
  });
});

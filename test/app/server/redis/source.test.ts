import { resolveRedisSetting } from '../../../../app/server/redis/source.ts';

const fromSsm = (value: string) => async () => value;

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
  ['TimeoutError', 'network path to SSM'],
])('a parameter that fails with %s says what to do', async (name, fix) => {
  const fail = async () => {
    throw Object.assign(new Error('no'), { name });
  };
  await expect(resolveRedisSetting({ parameterName: '/p' }, fail)).rejects.toThrow(fix);
});

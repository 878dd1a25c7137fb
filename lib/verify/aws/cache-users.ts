import { CheckFailure, CheckSkip } from '../check.ts';
import { explainRefusal } from './explain-refusal.ts';
import { readReplicationGroup } from './replication-group.ts';
import type { StackCheck } from './stack-check.ts';

export const cacheUsers: StackCheck = {
  name: 'cache-users',
  title: 'The users are active in the cache, and `default` is off',
  async run(stack, clients) {
    const group = await readReplicationGroup(stack, clients);
    const resource = stack.find('AWS::ElastiCache::UserGroup');
    if (!resource) throw new CheckSkip('the stack has no user group');
    const { DescribeUserGroupsCommand, DescribeUsersCommand } = await import('@aws-sdk/client-elasticache');
    const refused = (error: unknown) => {
      throw explainRefusal(error, `the user group ${resource.physicalId}`);
    };
    const { UserGroups: [userGroup] = [] } = await clients.elastiCache
      .send(new DescribeUserGroupsCommand({ UserGroupId: resource.physicalId }))
      .catch(refused);
    const { Users = [] } = await clients.elastiCache
      .send(new DescribeUsersCommand({ Filters: [{ Name: 'user-group-id', Values: [resource.physicalId] }] }))
      .catch(refused);

    const faults = [
      ...(userGroup?.Status === 'active' ? [] : [`the group is ${userGroup?.Status ?? 'gone'}`]),
      ...(group.UserGroupIds?.includes(resource.physicalId) ? [] : ['the cache does not take the group']),
      ...Users.filter(({ Status }) => Status !== 'active').map(
        ({ UserName, Status }) => `${UserName} is ${Status}`,
      ),
      ...Users.filter(
        ({ UserName, AccessString = '' }) => UserName === 'default' && !/^off /.test(AccessString),
      ).map(({ AccessString }) => `default is not off: ${AccessString}`),
    ];
    const names = Users.map(
      ({ UserName, Authentication }) => `${UserName} (${Authentication?.PasswordCount ?? 0})`,
    );
    if (faults.length === 0) return { proved: `users with their passwords: ${names.join(', ')}` };
    throw new CheckFailure({
      found: faults.join('; '),
      cause: 'a change of users is under way, or was made outside of CloudFormation',
      fix: `look again in a minute; \`aws elasticache describe-users --filters Name=user-group-id,Values=${resource.physicalId}\` shows them`,
    });
  },
};

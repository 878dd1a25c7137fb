import type { Fault } from '../../check.ts';
import { count, duration, list } from '../../wording.ts';

/** The messages of some clients did not reach the others. */
export function undelivered(number: number, clients: number): Fault {
  return {
    found: `messages of ${number} of ${count(clients, 'client')} did not come`,
    cause: 'messages do not reach everyone, so that nothing can be said of presence',
    fix: 'see what the check `delivery` says',
  };
}

export interface Sight {
  readonly blind: number;
  readonly all: number;
  /** The users that the first client with a gap sees. */
  readonly seen: number;
  readonly users: number;
}

/** Some clients never saw all users. */
export function blind(instance: string, { blind: number, all, seen, users }: Sight): Fault {
  return {
    found: `${number} of ${count(all, 'client')} did not see everyone: one on ${instance} sees ${seen} of ${users}`,
    cause:
      seen === 0
        ? 'the hub replies to `presence` with nobody: it has no presence, or its instance has no lease in Redis'
        : 'an instance does not register who is on it with the others: presence is kept in its memory alone',
    fix: "define the hub with presence, and look in the instances' logs for Redis rejecting its scripts (ACL)",
  };
}

/** A user who is there was reported as left. @param moved it came back on another instance */
export function falseLeaves(number: number, moved: boolean): Fault {
  return {
    found: moved
      ? 'a client that came back on another instance showed as left'
      : `${count(number, 'leave')} showed of clients that never went`,
    cause: 'an instance takes its own list for all: a member that lives on elsewhere is struck out',
    fix: 'publish a leave only after a grace, and only where no other instance holds that user in the room',
  };
}

/** @param instances of the clients that still see the users that left */
export function neverNotified(sinceMs: number, instances: readonly string[], watchers: number): Fault {
  const where = list([...new Set(instances)]);
  return {
    found: `${instances.length} of ${count(watchers, 'client')} (on ${where}) still see a member ${duration(sinceMs)} after it went`,
    cause:
      'leaves are not published: nobody looks after what is due, or the change does not reach that instance',
    fix: "look in the instances' logs for faults of presence; a longer grace than 15 s needs a longer --timeout",
  };
}

export function notifiedAtOnce(ms: number): Fault {
  return {
    found: `a leave showed ${Math.round(ms)} ms after it`,
    cause: 'there is no grace: everyone whose connection blinks shows as left and come back',
    fix: 'give presence a `graceMs` that is longer than a reconnect',
  };
}

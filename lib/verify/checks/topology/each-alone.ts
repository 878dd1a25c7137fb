import { type Check, CheckFailure, type Context, type Fault, NotProvedError } from '../../check.ts';
import type { Client } from '../../clients/client.ts';
import { count, figure, list } from '../../wording.ts';
import { faultOf, placeOnEach } from '../connecting/placement.ts';
import { exchangeMessages } from '../delivery/delivery.ts';

const clientsEach = 2;
/** Enough to distinguish an instance that drops some from one that drops none. */
const mostMessages = 10;

/** Distinguishes a fault of several instances together, or of the proxy, from one of an instance. */
export const eachAlone: Check = {
  name: 'each-alone',
  title: 'Each instance serves its own clients right, whatever the others do',
  needs: [],
  run: async (context) => {
    if (!context.target.control && explained(context).length === 0) {
      throw new NotProvedError(
        'it explains what fails through a proxy, and nothing did; past it no instance is reached',
      );
    }
    const groups = await gather(context);
    const outcomes = [];
    for (const group of groups) outcomes.push(await tryAlone(context, group));
    const broken = outcomes.filter(({ fault }) => fault !== undefined);
    if (broken.length > 0) throw new CheckFailure(explain(context, outcomes));
    const arrived = outcomes.reduce((sum, outcome) => sum + outcome.arrived, 0);
    return {
      proved: `${list(groups.map(({ id }) => id))} ${context.target.control ? 'past the proxy' : 'through the proxy, among their own clients'}: ${figure(arrived)} of ${count(arrived, 'delivery', 'deliveries')}${verdict(context)}`,
    };
  },
};

/** Clients that one instance serves, all of them. */
interface Group {
  readonly id: string;
  readonly clients: readonly Client[];
  /** Why there are no groups. */
  readonly fault?: string;
}

interface Outcome {
  readonly id: string;
  readonly arrived: number;
  readonly fault?: string;
}

async function gather(context: Context): Promise<readonly Group[]> {
  const { control } = context.target;
  if (control) {
    const instances = await control.instances();
    return Promise.all(instances.map(({ id, url }) => connectAlone(context, id, url)));
  }
  const { byInstance } = await placeOnEach(context, clientsEach, 'plain');
  return [...byInstance].map(([id, clients]) => ({ id, clients }));
}

async function connectAlone(context: Context, id: string, url: string | undefined): Promise<Group> {
  if (url === undefined) return { id, clients: [], fault: 'is down' };
  const there = context.clients.at(url);
  const clients = Array.from({ length: clientsEach }, () => there.open('websocket'));
  const ready = await Promise.all(clients.map((client) => client.untilReady(context)));
  const failed = clients.filter((_client, index) => !ready[index]);
  const [first] = failed;
  return first ? { id, clients: [], fault: `takes no clients: ${faultOf(context, first)}` } : { id, clients };
}

async function tryAlone(context: Context, { id, clients, fault }: Group): Promise<Outcome> {
  if (fault !== undefined) return { id, arrived: 0, fault };
  try {
    const messages = Math.min(mostMessages, context.load.messages);
    return { id, arrived: (await exchangeMessages(context, clients, messages)).report.arrived };
  } catch (error) {
    if (!(error instanceof CheckFailure)) throw error;
    return { id, arrived: 0, fault: error.fault.found };
  }
}

/** The failed checks whose cause may lie between the instances. */
function explained({ failed }: Context): readonly string[] {
  return failed.filter(({ isOfSeveral }) => isOfSeveral).map(({ name }) => name);
}

function verdict(context: Context): string {
  const failed = explained(context);
  if (failed.length === 0) return '';
  return `; so what fails in ${list(failed)} lies in the proxy, between the instances, or in a restart meanwhile`;
}

function explain({ target }: Context, outcomes: readonly Outcome[]): Fault {
  const broken = outcomes.filter(({ fault }) => fault !== undefined);
  const found = broken.map(({ id, fault }) => `${id} alone: ${fault}`).join('; ');
  if (broken.length < outcomes.length) {
    const whole = outcomes.filter(({ fault }) => fault === undefined).map(({ id }) => id);
    return {
      found: `${found}; ${list(whole)} alone: right`,
      cause: `it is ${list(broken.map(({ id }) => id))} and neither the proxy nor the others`,
      fix: "compare its environment and image with the others', and look in its log",
    };
  }
  return {
    found,
    cause: target.control
      ? 'no instance does it right alone: it is the service or Redis, and not the proxy'
      : 'it goes wrong on every instance: the service, Redis, or a proxy that drops what it carries',
    fix: 'start with one instance: its log, its Redis, and a client in its own network',
  };
}

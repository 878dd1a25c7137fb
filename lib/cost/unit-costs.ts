import { connectionsPerVcpu } from '../config/groups.ts';
import { capacity } from './measured.ts';
import { prices } from './prices.ts';
import { task, use } from './sizing.ts';

/** What a plan's tasks cost for one thing, without Redis, the load balancer and traffic. */
export interface UnitCost {
  readonly what: string;
  readonly dollars: number;
  /** What it takes of a task. */
  readonly because: string;
}

const { vCpuHour, gbHour } = prices.fargate.ARM64;
const taskHour = task.vCpus * vCpuHour + task.gb * gbHour;
const secondsAnHour = 3_600;
/** Each chunk of an answer is a message: `defaultAnswerLimits` of app/server/answers, which needs packages. */
export const chunkEveryMs = 50;

/** By the figures of the last bench that was kept, and the share of a task that a plan uses. */
export function unitCosts(): readonly UnitCost[] {
  const { deliveryCpuSeconds, smallRoomPublishCpuSeconds, handshakeCpuSeconds, connectionBytes } = capacity;
  const ofMemory = (task.freeBytes * use.memory) / connectionBytes;
  const ofPolicy = task.vCpus * connectionsPerVcpu;
  const held = Math.min(ofMemory, ofPolicy);
  const chunks = (secondsAnHour * 1_000) / chunkEveryMs;
  return [
    byCpu('a million deliveries in large rooms', 1e6 * deliveryCpuSeconds),
    byCpu('a million publishes in rooms of two', 1e6 * smallRoomPublishCpuSeconds),
    byCpu('a million connects', 1e6 * handshakeCpuSeconds),
    {
      what: 'a thousand connections for an hour',
      dollars: (1_000 / held) * taskHour,
      because: `${Math.floor(held)} a task: ${held === ofPolicy ? 'the target of the scaling policy' : 'its memory'}`,
    },
    byCpu(
      `an hour of AI answers, of one after the other: ${chunks} messages`,
      chunks * smallRoomPublishCpuSeconds,
    ),
  ];
}

function byCpu(what: string, seconds: number): UnitCost {
  const share = `${Math.round(use.cpu * 100)}% of a task's CPU`;
  return {
    what,
    dollars: (seconds / use.cpu / task.vCpus / secondsAnHour) * taskHour,
    because: `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s of CPU, at ${share}`,
  };
}

import type { ErrorReply } from '../../protocol/hub.ts';
import { detach, sizeOf } from '../rooms/body/attachments.ts';
import { BodyError } from '../rooms/body/body.ts';
import type { MemberRates } from '../rooms/membership/member-rates.ts';
import { type OnFault, RpcError, refuse } from '../rooms/rpc.ts';
import type { HubCall, HubDefinition } from './define.ts';
import type { HubMember } from './member.ts';

/** Serves whatever events are no methods, to members of every transport. */
export interface EventHandler {
  /** Never rejects. @returns what acknowledges the event, where its sender wants that */
  reply(member: HubMember, event: string, args: readonly unknown[]): Promise<EventReply>;
  /** Reports a fault, such as a value that can't be sent. @returns what the sender gets */
  failed(fault: Error, member: HubMember): ErrorReply;
}

/** Nothing or one value, or what went wrong. */
export type EventReply = { readonly ok: true; readonly values: readonly unknown[] } | ErrorReply;

export interface EventHandlerOptions {
  readonly onEvent: NonNullable<HubDefinition['onEvent']>;
  readonly callOf: (member: HubMember) => HubCall;
  readonly rates: MemberRates<HubMember> | undefined;
  /** Bytes of an event's arguments. */
  readonly mostBytes: number;
  readonly onFault: OnFault<HubMember>;
}

/** An event costs its sender what a publish of as many bytes does: the hub may pass it on to as many. */
export function createEventHandler(options: EventHandlerOptions): EventHandler {
  const { onEvent, callOf, rates, onFault } = options;
  const run = async (member: HubMember, event: string, args: readonly unknown[]): Promise<EventReply> => {
    const bytes = sizeOfArguments(args);
    rates?.publish(member, bytes);
    if (bytes > options.mostBytes) {
      throw new RpcError('bad_request', `the arguments must have at most ${options.mostBytes} bytes`);
    }
    const value = await onEvent(callOf(member), event, args);
    return { ok: true, values: value === undefined ? [] : [value] };
  };
  const failed = (fault: Error, member: HubMember) => {
    onFault(fault, member);
    return refuse('internal', 'the service failed to do this; its log says why');
  };
  return {
    failed,
    reply: (member, event, args) =>
      run(member, event, args).catch((fault: Error) => {
        if (!(fault instanceof RpcError)) return failed(fault, member);
        if (fault.cause instanceof Error) onFault(fault.cause, member);
        return refuse(fault.code, fault.message);
      }),
  };
}

/** @throws RpcError for arguments that are nested too deep */
function sizeOfArguments(args: readonly unknown[]): number {
  try {
    return sizeOf(detach(args));
  } catch (error) {
    if (error instanceof BodyError)
      throw new RpcError('bad_request', `the arguments ${error.message.slice('body: '.length)}`);
    throw error;
  }
}

import { setTimeout as delay } from 'node:timers/promises';
import { ParticipantKind, type RemoteParticipant } from '@livekit/rtc-node';
import { agentName } from '../../../app/names.ts';
import type { LiveKitAccess } from '../../../app/server/environment.ts';
import { callToken } from '../../../app/server/livekit/token.ts';
import { failedModelAttribute } from '../../../livekit/agent/names.ts';
import { eventually } from '../../support/wait.ts';
import { longestWaitMs } from './agent.ts';
import { apiKey, type TestNode } from './livekit-server.ts';
import { openMicrophone } from './microphone.ts';
import { joinCall, type Participant } from './participant.ts';
import { question } from './recording.ts';

/** Longer than a gap in a busy machine's audio. */
const pauseMs = 1_000;

/** A caller who is with the voice agent. */
export interface VoiceCall extends Participant {
  /** Absent: the agent is not in the call. */
  agent(): RemoteParticipant | undefined;
  /** Of the agent; empty: none. */
  failedModel(): string;
  /** The agent's greeting, its answer or its notice: a quarter of a second of it or more, and then its end. */
  hearsAgent(): Promise<void>;
  /** Says the question. */
  ask(): Promise<void>;
}

export function accessOf({ url, wsUrl }: TestNode): LiveKitAccess {
  return { url: wsUrl, apiUrl: url, apiKey: apiKey.key, apiSecret: apiKey.secret };
}

/** Resolves when the agent has greeted. @param hasMicrophone @default true */
export async function callVoiceAgent(node: TestNode, room: string, hasMicrophone = true): Promise<VoiceCall> {
  const call = await joinVoiceCall(node, room, hasMicrophone);
  await call.hearsAgent().catch(async (error) => {
    await call.leave();
    throw error;
  });
  return call;
}

/** Resolves when the caller is there. */
export async function joinVoiceCall(
  node: TestNode,
  room: string,
  hasMicrophone: boolean,
): Promise<VoiceCall> {
  const request = { room, identity: { subject: 'ada', guest: false }, agent: agentName };
  const { token } = await callToken(accessOf(node), request);
  const participant = await joinCall(node.wsUrl, token);
  const microphone = hasMicrophone ? await openMicrophone(participant.room, question.sampleRate) : undefined;
  const agent = () =>
    [...participant.room.remoteParticipants.values()].find(({ info }) => info.kind === ParticipantKind.AGENT);
  return {
    ...participant,
    agent,
    failedModel: () => agent()?.attributes[failedModelAttribute] ?? '',
    hearsAgent: async () => {
      const before = participant.audio.audible;
      await eventually(
        'the agent to be heard',
        () => participant.audio.audible >= before + 25,
        longestWaitMs,
      );
      await eventually(
        'the agent to fall silent',
        async () => {
          const soFar = participant.audio.audible;
          await delay(pauseMs);
          return participant.audio.audible === soFar;
        },
        longestWaitMs,
      );
    },
    ask: async () => microphone?.say(question),
    leave: async () => {
      await microphone?.turnOff();
      await participant.leave();
    },
  };
}

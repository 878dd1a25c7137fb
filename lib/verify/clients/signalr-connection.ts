import { HttpTransportType, type HubConnection, HubConnectionBuilder, LogLevel } from '@microsoft/signalr';
import { MessagePackHubProtocol } from '@microsoft/signalr-protocol-msgpack';
import EventSource from 'eventsource';

/** A transport and an encoding of SignalR. */
export interface SignalRWay {
  readonly name: string;
  readonly transport: HttpTransportType;
  readonly isBinary: boolean;
}

const { WebSockets, ServerSentEvents, LongPolling } = HttpTransportType;
export const signalRWays = {
  webSockets: { name: 'WebSockets', transport: WebSockets, isBinary: false },
  binaryWebSockets: { name: 'WebSockets with MessagePack', transport: WebSockets, isBinary: true },
  eventStream: { name: 'Server-Sent Events', transport: ServerSentEvents, isBinary: false },
  polling: { name: 'long polling', transport: LongPolling, isBinary: false },
  binaryPolling: { name: 'long polling with MessagePack', transport: LongPolling, isBinary: true },
} as const satisfies Record<string, SignalRWay>;

export interface ConnectionOptions {
  /** @default none is given */
  readonly token?: string | undefined;
  /** Whether it comes back by itself, and how long it waits before each try, in milliseconds. @default it does not */
  readonly pauseMs?: () => number;
}

export interface SignalRConnection {
  readonly connection: HubConnection;
  /** Ends the connection, or its start; use it in place of the connection's own `stop()`. */
  stop(): Promise<void>;
}

/** A connection of Microsoft's client, as it is. @param url of the hub */
export function buildConnection(
  url: string,
  { transport, isBinary }: SignalRWay,
  { token, pauseMs }: ConnectionOptions = {},
): SignalRConnection {
  const eventStream = abandonableEventStream();
  const options = {
    transport,
    // The client takes this option, and its types leave it out.
    EventSource: eventStream.constructor,
    ...(token === undefined ? {} : { accessTokenFactory: () => token }),
  };
  const builder = new HubConnectionBuilder().withUrl(url, options).configureLogging(LogLevel.None);
  if (pauseMs) builder.withAutomaticReconnect({ nextRetryDelayInMilliseconds: pauseMs });
  if (isBinary) builder.withHubProtocol(new MessagePackHubProtocol());
  const connection = builder.build();
  return {
    connection,
    stop: async () => {
      const stopped = connection.stop();
      eventStream.abandon();
      await stopped;
    },
  };
}

/**
 * SignalR's client closes a stream that opened, and no other: it waits for one whose response a proxy holds back, also
 * when it is stopped, and one that failed goes on trying by itself, for ever.
 */
function abandonableEventStream() {
  let abandon: () => void = () => undefined;
  class AbandonableEventSource extends EventSource {
    constructor(url: string, options?: object) {
      // A connection has one at a time.
      abandon();
      super(url, options);
      abandon = () => {
        if (this.readyState !== EventSource.CONNECTING) return;
        this.close();
        // Whoever waits for it to open hears that it does not.
        this.dispatchEvent(new Event('error'));
      };
    }
  }
  return { constructor: AbandonableEventSource, abandon: () => abandon() };
}

import {
  type HubConnection,
  HubConnectionBuilder,
  type IHttpConnectionOptions,
  LogLevel,
} from '@microsoft/signalr';
import { MessagePackHubProtocol } from '@microsoft/signalr-protocol-msgpack';

export type Encoding = 'json' | 'messagepack';

/** Microsoft's client, as it is: it comes back by itself, and sooner than it would. @param url of the hub */
export function microsoftClient(
  url: string,
  encoding: Encoding,
  options: IHttpConnectionOptions,
): HubConnection {
  const builder = new HubConnectionBuilder()
    .withUrl(url, options)
    .withAutomaticReconnect([0, 50, 100, 200, 500, 1_000, 2_000, 4_000])
    .configureLogging(LogLevel.None);
  return (encoding === 'json' ? builder : builder.withHubProtocol(new MessagePackHubProtocol())).build();
}

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a service answers to an action: its fields as its API documents them, or an error. */
export type Answer =
  | Record<string, unknown>
  | AwsError
  /** @param input region, path and body of the request, as text */
  | ((input: string, body: string) => Record<string, unknown> | AwsError);
export type Answers = Record<string, Answer>;

export class AwsError {
  readonly status: number;
  readonly code: string;
  readonly message: string;

  constructor(status: number, code: string, message: string) {
    this.status = status;
    this.code = code;
    this.message = message;
  }
}

/** How a service speaks: https://smithy.io/2.0/aws/protocols. */
type Protocol = 'json' | 'query' | 'ec2' | 'rest-xml' | 'rest-json';

/** Names as IAM has them, by the name in the signature of a request. */
const services: Readonly<Record<string, readonly [iam: string, protocol: Protocol]>> = {
  sts: ['sts', 'query'],
  cloudformation: ['cloudformation', 'query'],
  elasticloadbalancing: ['elasticloadbalancing', 'query'],
  elasticache: ['elasticache', 'query'],
  ec2: ['ec2', 'ec2'],
  ssm: ['ssm', 'json'],
  ecs: ['ecs', 'json'],
  acm: ['acm', 'json'],
  servicequotas: ['servicequotas', 'json'],
  monitoring: ['cloudwatch', 'json'],
  route53: ['route53', 'rest-xml'],
  bedrock: ['bedrock', 'rest-json'],
};

const restActions: readonly (readonly [path: RegExp, action: string])[] = [
  [/\/rrset/, 'ListResourceRecordSets'],
  [/\/hostedzone\//, 'GetHostedZone'],
  [/^\/foundation-model-availability\//, 'GetFoundationModelAvailability'],
  [/^\/inference-profiles\//, 'GetInferenceProfile'],
];

/** From now on the SDK asks this address, whatever this machine is set up for. @returns ends it */
export function askAwsAt(url: string): () => void {
  const before = { ...process.env };
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: url,
    AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'not-a-secret',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  });
  return () => {
    process.env = before;
  };
}

/** An HTTP server that answers as AWS's APIs do, each in its own protocol. What it has no answer for it denies. */
export async function startAws(answers: () => Answers) {
  /** Each action that was asked for, as IAM names it. */
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const [, region = '', service = ''] =
      /Credential=[^/]+\/\d+\/([\w-]+)\/([\w-]+)\//.exec(request.headers.authorization ?? '') ?? [];
    const [iam, protocol] = services[service] ?? ['unknown', 'json'];
    const action = `${iam}:${actionOf(request, body)}`;
    asked.push(action);
    const answer =
      answers()[action] ?? new AwsError(403, denialOf(protocol), `not authorized to perform ${action}`);
    const input = decodeURIComponent(`${region} ${request.url} ${body}`.replaceAll('+', ' '));
    const said = typeof answer === 'function' ? answer(input, body) : answer;
    if (said instanceof AwsError) sendError(response, protocol, said);
    else send(response, protocol, action.split(':')[1] as string, said);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    stop: () =>
      new Promise<void>((stopped) => {
        server.closeAllConnections();
        server.close(() => stopped());
      }),
  };
}

function actionOf({ headers, url = '' }: IncomingMessage, body: string): string {
  const target = headers['x-amz-target'];
  if (typeof target === 'string') return target.slice(target.indexOf('.') + 1);
  return (
    new URLSearchParams(body).get('Action') ?? restActions.find(([path]) => path.test(url))?.[1] ?? 'Unknown'
  );
}

const denialOf = (protocol: Protocol) =>
  protocol === 'ec2'
    ? 'UnauthorizedOperation'
    : /json/.test(protocol)
      ? 'AccessDeniedException'
      : 'AccessDenied';

function send(
  response: ServerResponse,
  protocol: Protocol,
  action: string,
  fields: Record<string, unknown>,
): void {
  if (protocol === 'json' || protocol === 'rest-json') {
    response.setHeader(
      'content-type',
      protocol === 'json' ? 'application/x-amz-json-1.1' : 'application/json',
    );
    response.end(JSON.stringify(inSeconds(fields)));
    return;
  }
  response.setHeader('content-type', 'text/xml');
  const item = protocol === 'ec2' ? 'item' : 'member';
  const inner = xml(fields, item);
  const body =
    protocol === 'query'
      ? `<${action}Response><${action}Result>${inner}</${action}Result></${action}Response>`
      : `<${action}Response>${inner}</${action}Response>`;
  response.end(`<?xml version="1.0"?>${body}`);
}

function sendError(response: ServerResponse, protocol: Protocol, { status, code, message }: AwsError): void {
  response.statusCode = status;
  const inner = xml({ Code: code, Message: message }, 'member');
  if (protocol === 'json' || protocol === 'rest-json') {
    response.setHeader('x-amzn-errortype', code);
    response.setHeader('content-type', 'application/x-amz-json-1.1');
    response.end(JSON.stringify({ __type: code, message }));
  } else if (protocol === 'ec2')
    response.end(`<Response><Errors><Error>${inner}</Error></Errors></Response>`);
  else response.end(`<ErrorResponse><Error><Type>Sender</Type>${inner}</Error></ErrorResponse>`);
}

/** JSON has times in seconds since 1970. */
function inSeconds(value: unknown): unknown {
  if (value instanceof Date) return value.getTime() / 1_000;
  if (Array.isArray(value)) return value.map(inSeconds);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, inSeconds(inner)]));
}

/** Lists become elements of one name, `item` or `member`; Route 53 calls each by a name of its own, as `{ Name: […] }`. */
function xml(value: unknown, item: string, ownItem = item): string {
  if (Array.isArray(value))
    return value.map((each) => `<${ownItem}>${xml(each, item)}</${ownItem}>`).join('');
  if (value instanceof Date) return value.toISOString();
  if (typeof value !== 'object' || value === null)
    return String(value).replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return Object.entries(value)
    .map(([name, inner]) =>
      Array.isArray(inner) && repeated.has(name)
        ? inner.map((each) => `<${name}>${xml(each, item)}</${name}>`).join('')
        : `<${name}>${xml(inner, item, itemsOf[name])}</${name}>`,
    )
    .join('');
}

/** ElastiCache's lists name their elements. */
const itemsOf: Readonly<Record<string, string>> = {
  ReplicationGroups: 'ReplicationGroup',
  NodeGroups: 'NodeGroup',
  NodeGroupMembers: 'NodeGroupMember',
  MemberClusters: 'ClusterId',
  CacheClusters: 'CacheCluster',
};

const repeated = new Set(['NameServer', 'ResourceRecordSet', 'ResourceRecord']);

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KnobInput } from '../../lib/config/config.ts';
import { freePort } from '../../lib/local/processes/ports.ts';
import { LoadBalancer, type LoadBalancerOptions } from '../../lib/local/proxy/load-balancer.ts';
import type { Json } from '../lib/aws/synthesis.ts';
import { type Cache, startCache } from './cache.ts';
import { type EcsControl, startEcsControl } from './ecs-control.ts';
import { buildImage, deriveImage, engineCommand } from './engine.ts';
import { type Moto, startMoto } from './moto.ts';
import { type RunningTask, startTask } from './task.ts';
import { type AddServices, DeployedTemplate } from './template.ts';

/** Where containers find this machine: by these names, at the gateway of their network. */
export const hosts = { cache: 'cache.internal', edge: 'edge.internal', aws: 'aws.internal' } as const;

/** The attributes of a template's resources that are host names. */
const attributes: Readonly<Record<string, string>> = {
  'AWS::ElastiCache::ReplicationGroup PrimaryEndPoint.Address': hosts.cache,
  'AWS::ElasticLoadBalancingV2::LoadBalancer DNSName': hosts.edge,
};

/** Images that this run has built, or that are named by the environment, by container. */
const images = new Map<string, Promise<string>>();

/** Names of images that were made of those. */
const derived = new Set<string>();

/**
 * A template of the stack, deployed to containers on this machine: its secrets are in Secrets Manager, its parameter in
 * SSM, its users in Redis, its services behind a load balancer.
 */
export class Deployment {
  template!: DeployedTemplate;
  readonly balancer: LoadBalancer;
  readonly cache: Cache;
  readonly ecs: EcsControl;
  readonly network: string;
  readonly gateway: string;
  readonly port: number;
  readonly #moto: Moto;
  readonly #folder = mkdtempSync(join(tmpdir(), 'realtime-containers-'));
  /** By logical id. */
  readonly #secrets = new Map<string, { readonly arn: string; readonly value: string }>();
  readonly #tasks: RunningTask[] = [];

  readonly #addServices: AddServices | undefined;

  private constructor(
    parts: Pick<Deployment, 'balancer' | 'cache' | 'ecs' | 'network' | 'gateway' | 'port'>,
    moto: Moto,
    addServices: AddServices | undefined,
  ) {
    this.balancer = parts.balancer;
    this.cache = parts.cache;
    this.ecs = parts.ecs;
    this.network = parts.network;
    this.gateway = parts.gateway;
    this.port = parts.port;
    this.#moto = moto;
    this.#addServices = addServices;
  }

  static async start(
    knobs: KnobInput,
    options: LoadBalancerOptions = {},
    addServices?: AddServices,
  ): Promise<Deployment> {
    const network = `realtime-${randomBytes(4).toString('hex')}`;
    await engineCommand('network', 'create', network);
    const gateway = await gatewayOf(network);
    const [cache, moto, ecs] = await Promise.all([startCache(hosts.cache), startMoto(), startEcsControl()]);
    const port = await freePort();
    const balancer = new LoadBalancer(options);
    await balancer.listen(port, '0.0.0.0');
    const deployment = new Deployment({ balancer, cache, ecs, network, gateway, port }, moto, addServices);
    writeFileSync(deployment.caFile, cache.certificate, { mode: 0o644 });
    await deployment.deploy(knobs);
    return deployment;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Port of SSM and Secrets Manager on this machine. */
  get awsPort(): number {
    return this.#moto.port;
  }

  get caFile(): string {
    return join(this.#folder, 'ca.pem');
  }

  /** What CloudFormation does before it touches a service: secrets, the parameter, the cache's users. */
  async deploy(knobs: KnobInput): Promise<void> {
    this.template = new DeployedTemplate(
      { cpuArchitecture: process.arch === 'arm64' ? 'arm64' : 'x86_64', ...knobs },
      {
        secretArn: (id) => this.#secret(id).arn,
        attribute: (type, attribute) => {
          const host = attributes[`${type} ${attribute}`];
          if (!host) throw new Error(`no test knows ${attribute} of ${type}`);
          return host === hosts.edge ? `${host}:${this.port}` : host;
        },
      },
      this.#addServices,
    );
    const secrets = this.template.ofType('AWS::SecretsManager::Secret');
    for (const [id, { GenerateSecretString }] of secrets)
      if (GenerateSecretString) await this.#createSecret(id, () => generated(GenerateSecretString));
    // These are composed from those above.
    for (const [id, { SecretString }] of secrets)
      if (SecretString) await this.#createSecret(id, () => this.#dynamic(SecretString));
    for (const [, { Name, Value }] of this.template.ofType('AWS::SSM::Parameter'))
      await this.#moto.putParameter(this.template.resolve(Name), this.resolve(Value));
    await this.cache.setUsers(this.#users());
  }

  /** A value of the template; the cache's port is that of the server here. */
  resolve(value: Json): string {
    return this.template
      .resolve(value)
      .replaceAll(`${hosts.cache}:6379`, `${hosts.cache}:${this.cache.port}`);
  }

  /** The value of a secret, or of a field of its JSON, as ECS gives it to a container: `ARN` or `ARN:field::`. */
  secretOf(valueFrom: Json): string {
    const [, arn, field] =
      /^((?:[^:]+:){6}[^:]+)(?::([^:]*)::)?$/.exec(this.template.resolve(valueFrom)) ?? [];
    const secret = [...this.#secrets.values()].find((each) => each.arn === arn);
    if (!secret) throw new Error(`no secret has the ARN ${arn}`);
    return field ? JSON.parse(secret.value)[field] : secret.value;
  }

  /** The value of the secret with this logical id, without its hash. */
  secretNamed(name: string): string {
    const id = [...this.#secrets.keys()].find((each) => each.replace(/[0-9A-F]{8}$/, '') === name);
    return this.#secret(id ?? name).value;
  }

  /** Starts a task of the definition that has this container. */
  async run(container: string): Promise<RunningTask> {
    const task = await startTask(this, container);
    this.#tasks.push(task);
    return task;
  }

  /** The image of a container: built once a run, or named by `REALTIME_IMAGE_…` where no registry gives its base. */
  imageOf(definition: Json): Promise<string> {
    const name = definition.Name as string;
    if (derived.has(definition.Image)) return Promise.resolve(definition.Image);
    const given = process.env[`REALTIME_IMAGE_${name.toUpperCase()}`];
    if (given) return Promise.resolve(given);
    // An image by name, which a pipeline has built.
    if (typeof definition.Image === 'string') return Promise.resolve(definition.Image);
    const known = images.get(name) ?? this.#build(name, definition.Image);
    images.set(name, known);
    return known;
  }

  /** An image of the same source as that of a container, which differs in its id alone. @returns its name */
  async buildNewerImage(container: string): Promise<string> {
    const { ContainerDefinitions } = this.template.taskOf(container);
    const definition = ContainerDefinitions.find(({ Name }: Json) => Name === container);
    const tag = `localhost/realtime-test-newer-${container}`;
    await deriveImage(tag, await this.imageOf(definition));
    derived.add(tag);
    return tag;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#tasks.map((task) => task.remove()));
    await Promise.all([this.balancer.close(), this.cache.stop(), this.ecs.stop(), this.#moto.stop()]);
    rmSync(this.#folder, { recursive: true, force: true });
    await engineCommand('network', 'rm', this.network);
  }

  async #build(name: string, image: Json): Promise<string> {
    const { folder, ...source } = this.template.sourceOf(image);
    const tag = `localhost/realtime-test-${name}`;
    await buildImage(tag, folder, source);
    return tag;
  }

  #secret(id: string) {
    const secret = this.#secrets.get(id);
    if (!secret) throw new Error(`there is no secret ${id}`);
    return secret;
  }

  async #createSecret(id: string, create: () => string): Promise<void> {
    if (this.#secrets.has(id)) return;
    const value = create();
    this.#secrets.set(id, { value, arn: await this.#moto.createSecret(id, value) });
  }

  #users() {
    return this.template
      .ofType('AWS::ElastiCache::User')
      .map(([, { UserName, AccessString, Passwords }]) => ({
        name: UserName as string,
        accessString: AccessString as string,
        passwords: Passwords.map((password: Json) => this.#dynamic(password)),
      }));
  }

  /** A text with its references to secrets resolved: `{{resolve:secretsmanager:ARN:SecretString:field::}}` */
  #dynamic(text: Json): string {
    return this.resolve(text).replace(
      /\{\{resolve:secretsmanager:([^{}]+):SecretString:([^:{}]*)::\}\}/g,
      (_, arn: string, field: string) => this.secretOf(field ? `${arn}:${field}::` : arn),
    );
  }
}

/** A value as Secrets Manager generates it. */
function generated(wanted: Json): string {
  const random = randomBytes(wanted.PasswordLength)
    .toString('hex')
    .slice(0, wanted.PasswordLength ?? 32);
  if (!wanted.GenerateStringKey) return random;
  return JSON.stringify({ ...JSON.parse(wanted.SecretStringTemplate), [wanted.GenerateStringKey]: random });
}

/** The address of this machine in a network of containers: the default route of a container in it. */
async function gatewayOf(network: string): Promise<string> {
  const route = await engineCommand('network', 'inspect', network);
  const [, address] = /"(?:gateway|Gateway)": "(\d+\.\d+\.\d+\.\d+)"/.exec(route) ?? [];
  if (!address) throw new Error(`the network has no gateway: ${route}`);
  return address;
}

import { readFileSync } from 'node:fs';
import { join, resolve as resolvePath } from 'node:path';
import type { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import type { KnobInput } from '../../lib/config/config.ts';
import type { RealtimeStack } from '../../lib/realtime-stack.ts';
import type { Json } from '../lib/aws/synthesis.ts';
import { createStack } from '../lib/stack/templates.ts';

/** How a deployment names what a template refers to. */
export interface Names {
  /** The ARN of a secret of the stack. */
  secretArn(logicalId: string): string;
  /** Host names of what other resources have: the cache, load balancers. */
  attribute(type: string, attribute: string): string;
}

/** Adds services beside those of the stack, as an app of someone else's would. */
export type AddServices = (stack: RealtimeStack) => unknown;

/** What an image is built from. */
export interface ImageSource {
  readonly folder: string;
  readonly dockerfile: string;
  readonly buildArgs: Readonly<Record<string, string>>;
}

/** A synthesized template, and the images that it is built with. */
export class DeployedTemplate {
  readonly resources: Readonly<Record<string, Json>>;
  readonly #images: Readonly<Record<string, Json>>;
  readonly #outdir: string;
  readonly #names: Names;

  constructor(knobs: KnobInput, names: Names, addServices: AddServices = () => undefined) {
    const stack = createStack(knobs);
    addServices(stack);
    this.resources = Template.fromStack(stack).toJSON().Resources;
    this.#outdir = (stack.node.root as App).outdir;
    const manifest = join(this.#outdir, `${stack.artifactId}.assets.json`);
    this.#images = JSON.parse(readFileSync(manifest, 'utf8')).dockerImages ?? {};
    this.#names = names;
  }

  ofType(type: string): readonly [id: string, properties: Json][] {
    return Object.entries(this.resources).flatMap(([id, { Type, Properties }]) =>
      Type === type ? [[id, Properties ?? {}] as const] : [],
    );
  }

  /** The task definition with a container of this name. */
  taskOf(container: string): Json {
    const [, task] =
      this.ofType('AWS::ECS::TaskDefinition').find(([, { ContainerDefinitions }]) =>
        ContainerDefinitions.some(({ Name }: Json) => Name === container),
      ) ?? [];
    if (!task) throw new Error(`the template has no container ${container}`);
    return task;
  }

  /** What a container's image is built from. */
  sourceOf(image: Json): ImageSource {
    const text = JSON.stringify(image);
    const [, asset] = Object.entries(this.#images).find(([hash]) => text.includes(hash)) ?? [];
    if (!asset) throw new Error(`the image is none that the stack builds: ${text}`);
    const { directory, dockerFile = 'Dockerfile', dockerBuildArgs = {} } = asset.source;
    return {
      folder: resolvePath(this.#outdir, directory),
      dockerfile: dockerFile,
      buildArgs: dockerBuildArgs,
    };
  }

  /** A value as CloudFormation would resolve it. */
  resolve(value: Json): string {
    if (value === null || typeof value !== 'object') return String(value);
    if (value.Ref) return this.#refer(value.Ref);
    if (value['Fn::Join']) {
      const [separator, parts] = value['Fn::Join'];
      return parts.map((part: Json) => this.resolve(part)).join(separator);
    }
    const [id, attribute] = value['Fn::GetAtt'] ?? [];
    if (id) return this.#names.attribute(this.resources[id].Type, attribute);
    throw new Error(`no test resolves ${JSON.stringify(value)}`);
  }

  #refer(id: string): string {
    const pseudo = { 'AWS::Region': 'us-east-1', 'AWS::AccountId': '123456789012', 'AWS::Partition': 'aws' };
    if (id in pseudo) return pseudo[id as keyof typeof pseudo];
    const { Type, Properties } = this.resources[id];
    if (Type === 'AWS::SecretsManager::Secret') return this.#names.secretArn(id);
    if (Type === 'AWS::SSM::Parameter') return Properties.Name;
    return id;
  }
}

import { z } from 'zod';
import type { InstanceRegistry } from '../../instances/instance-registry.ts';
import { defineHub, type HubDefinition, method } from '../define.ts';

/** Tells a page which instances there are; opened where guests are taken, since it is for looking around. */
export function defineFleet(registry: InstanceRegistry): HubDefinition {
  return defineHub({
    name: 'fleet',
    presence: false,
    authorize: () => undefined,
    methods: { instances: method(z.object({}), () => ({ instances: registry.list() })) },
  });
}

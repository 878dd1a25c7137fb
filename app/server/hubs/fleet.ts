import { z } from 'zod';
import type { Census } from '../census/census.ts';
import { defineHub, type HubDefinition, method } from './define.ts';

/** Tells a page which instances there are; opened where guests are taken, since it is for looking around. */
export function defineFleet(census: Census): HubDefinition {
  return defineHub({
    name: 'fleet',
    presence: false,
    authorize: () => undefined,
    methods: { instances: method(z.object({}), () => ({ instances: census.list() })) },
  });
}

import { type LineItem, lineItems } from './line-items.ts';
import type { Template } from './template.ts';

export interface Bill {
  readonly items: readonly LineItem[];
  /** Dollars a month. */
  readonly total: number;
  /** Types of resources, or sizes, that the price table does not know: they are not in the total. */
  readonly unknown: readonly string[];
}

/** What a template costs a month before traffic, at on-demand prices. */
export function billOf(template: Template): Bill {
  const { items, unknown } = lineItems(template);
  const merged = new Map<string, LineItem>();
  for (const item of items) {
    const key = `${item.what} ${item.each}`;
    merged.set(key, { ...item, quantity: item.quantity + (merged.get(key)?.quantity ?? 0) });
  }
  const lines = [...merged.values()].filter(({ quantity }) => quantity > 0);
  return {
    items: lines.sort((one, other) => other.quantity * other.each - one.quantity * one.each),
    total: lines.reduce((sum, { quantity, each }) => sum + quantity * each, 0),
    unknown: [...new Set(unknown)].sort(),
  };
}

import { billOf } from '../../../cost/bill.ts';
import { prices } from '../../../cost/prices.ts';
import { passed } from '../../finding.ts';
import type { Check } from '../check.ts';
import { warned } from '../finding.ts';

const dearestItems = 3;

export const price: Check = {
  name: 'price',
  permissions: {},
  async run({ template }) {
    const { items, total, unknown } = billOf(template);
    const dearest = items
      .slice(0, dearestItems)
      .map(({ what, quantity, each }) => `${what} $${Math.round(quantity * each)}`);
    const found = `about $${Math.round(total)} a month before traffic, of it ${dearest.join(', ')}; prices of us-east-1, ${prices.asOf}; \`npm run cost\` lists them`;
    if (unknown.length === 0) return passed(found);
    return warned({
      found: `${found}; without ${unknown.join(', ')}`,
      needed: 'a price of each',
      fix: 'look at https://calculator.aws, and add it to lib/cost/prices.ts',
    });
  },
};

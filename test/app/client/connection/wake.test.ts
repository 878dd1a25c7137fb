import { watchWaking } from '../../../../app/client/connection/wake.ts';

let wakes: number;
let stop: () => void;
beforeEach(() => {
  jest.useFakeTimers();
  wakes = 0;
});
afterEach(() => {
  stop();
  jest.useRealTimers();
});

function watch(): void {
  stop = watchWaking(() => {
    wakes += 1;
  });
}

describe('the clock', () => {
  const minute = 60_000;

  test('that goes on as it should says nothing', () => {
    watch();
    jest.advanceTimersByTime(10 * minute);
    expect(wakes).toBe(0);
  });

  test.each([
    ['ahead: the machine slept', minute],
    ['far ahead', 1_000 * minute],
    ['back: it was set', -minute],
  ])('that jumped %s', (_what, jump) => {
    watch();
    jest.advanceTimersByTime(minute);
    jest.setSystemTime(Date.now() + jump);
    jest.advanceTimersByTime(minute);
    expect(wakes).toBe(1);
  });

  test('is looked at no more when that has ended', () => {
    watch();
    stop();
    jest.setSystemTime(Date.now() + minute);
    jest.advanceTimersByTime(minute);
    expect([wakes, jest.getTimerCount()]).toEqual([0, 0]);
  });
});

describe('the events of a page', () => {
  const names = ['document', 'navigator', 'addEventListener', 'removeEventListener'] as const;
  const before = names.map((name) => Object.getOwnPropertyDescriptor(globalThis, name));
  let page: EventTarget;
  let document: EventTarget & { visibilityState: string };
  let connection: EventTarget;
  beforeEach(() => {
    page = new EventTarget();
    document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
    connection = new EventTarget();
    const values = {
      document,
      navigator: { connection },
      addEventListener: page.addEventListener.bind(page),
      removeEventListener: page.removeEventListener.bind(page),
    };
    for (const name of names) {
      Object.defineProperty(globalThis, name, { configurable: true, value: values[name] });
    }
    watch();
  });
  afterEach(() => {
    for (const [index, name] of names.entries()) {
      const own = before[index];
      if (own) Object.defineProperty(globalThis, name, own);
      else delete (globalThis as Record<string, unknown>)[name];
    }
  });

  const fireAll = () => {
    page.dispatchEvent(new Event('online'));
    page.dispatchEvent(new Event('pageshow'));
    document.dispatchEvent(new Event('visibilitychange'));
    connection.dispatchEvent(new Event('change'));
  };

  test('are each heard, until that has ended', () => {
    fireAll();
    expect(wakes).toBe(4);
    stop();
    fireAll();
    expect(wakes).toBe(4);
  });

  test('a page that goes into the background asks for nothing', () => {
    document.visibilityState = 'hidden';
    document.dispatchEvent(new Event('visibilitychange'));
    expect(wakes).toBe(0);
  });
});

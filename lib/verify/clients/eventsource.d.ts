/** What is used of it. `@types/eventsource` declares a browser's `Event` for all code. */
declare module 'eventsource' {
  class EventSource {
    static readonly CONNECTING: number;
    readonly readyState: number;
    constructor(url: string, options?: object);
    close(): void;
    dispatchEvent(event: Event): void;
  }
  export = EventSource;
}

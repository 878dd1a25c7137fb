import type { Message } from '../../../protocol/hub.ts';

/** What the sample jobs say; any other JSON is shown as it is. */
interface Update {
  readonly status?: unknown;
  readonly text?: unknown;
  /** 0–1. */
  readonly progress?: unknown;
}

export function UpdateCard({ message }: { readonly message: Message }) {
  const update = (typeof message.body === 'object' && message.body !== null ? message.body : {}) as Update;
  const { status, text, progress } = update;
  const isKnown = typeof text === 'string' || typeof progress === 'number';
  return (
    <li>
      <p className="by">
        <strong>{message.from}</strong>
        {typeof status === 'string' && <span className="tag">{status}</span>}
        <time dateTime={new Date(message.at).toISOString()}>{new Date(message.at).toLocaleTimeString()}</time>
      </p>
      {typeof text === 'string' && <p className="text">{text}</p>}
      {typeof progress === 'number' && <progress value={progress} max={1} aria-label="Progress" />}
      {!isKnown && <pre className="text">{JSON.stringify(message.body)}</pre>}
    </li>
  );
}

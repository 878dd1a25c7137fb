import { type ReactNode, useSyncExternalStore } from 'react';
import { AnswersView } from '../answers/answers-view.tsx';
import { CallView } from '../call/call-view.tsx';
import { ChatView } from '../chat/chat-view.tsx';
import { FeedView } from '../feeds/feed-view.tsx';
import { FleetView } from '../fleet/fleet-view.tsx';

interface View {
  readonly id: string;
  readonly title: string;
  readonly show: () => ReactNode;
}

const room = new URLSearchParams(location.search).get('room') || 'lobby';

const views: readonly [View, ...View[]] = [
  { id: 'chat', title: 'Chat', show: () => <ChatView room={room} /> },
  { id: 'ai', title: 'AI chat', show: () => <AnswersView room={room} /> },
  { id: 'call', title: 'Call', show: () => <CallView room={room} /> },
  { id: 'bots', title: 'Bots', show: () => <FeedView key="bots" hub="bots" /> },
  { id: 'backtests', title: 'Backtests', show: () => <FeedView key="backtests" hub="backtests" /> },
  { id: 'instances', title: 'Instances', show: () => <FleetView /> },
];

export function Shell() {
  const hash = useHash();
  const view = views.find(({ id }) => id === hash) ?? views[0];
  return (
    <>
      <header className="top">
        <h1>Realtime Stack</h1>
        <nav aria-label="Views">
          {views.map(({ id, title }) => (
            <a key={id} href={`#${id}`} aria-current={id === view.id ? 'page' : undefined}>
              {title}
            </a>
          ))}
        </nav>
      </header>
      <main>{view.show()}</main>
    </>
  );
}

const subscribe = (listener: () => void) => {
  addEventListener('hashchange', listener);
  return () => removeEventListener('hashchange', listener);
};

/** The part of the address after `#`, which selects the view. */
function useHash(): string {
  return useSyncExternalStore(subscribe, () => location.hash.slice(1));
}

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ChatPage } from './chat-page.tsx';
import './page.css';

createRoot(document.getElementById('root') as HTMLElement).render(
  <StrictMode>
    <ChatPage room={new URLSearchParams(location.search).get('room') || 'lobby'} />
  </StrictMode>,
);

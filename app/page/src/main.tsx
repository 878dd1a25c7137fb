import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import './page.css';
import { Shell } from './shell/shell.tsx';

createRoot(document.getElementById('root') as HTMLElement).render(
  <StrictMode>
    <Shell />
  </StrictMode>,
);

import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: '../dist/page',
    emptyOutDir: true,
    // In kB. LiveKit's client is 630, in a file of its own that a call loads; the rest of the page is half of that.
    chunkSizeWarningLimit: 700,
  },
  // `npm run dev:page` beside a running topology: the page reloads on each change.
  server: { proxy: { '/socket.io': { target: 'http://127.0.0.1:8080', ws: true } } },
});

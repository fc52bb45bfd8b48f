import { defineConfig } from 'vite'

const server = 'http://localhost:3000'

// In development Vite serves the page, and `node server.ts` beside it the jobs. Add @vitejs/plugin-react for Fast Refresh.
export default defineConfig({
  server: {
    proxy: {
      '/jobs': { target: server, ws: true },
      '/login': { target: server }
    }
  }
})

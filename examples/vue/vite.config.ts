import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'

const server = 'http://localhost:3000'

// In development Vite serves the page, and `node server.ts` beside it the jobs.
export default defineConfig({
  plugins: [vue()],
  server: {
    proxy: {
      '/jobs': { target: server, ws: true },
      '/login': { target: server }
    }
  }
})

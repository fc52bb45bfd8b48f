import { fileURLToPath } from 'node:url'
import express from 'express'
import { router } from './exports.ts'

const PORT = Number(process.env.PORT ?? 3000)

const app = express()
app.use('/api', router)
app.use(express.static(fileURLToPath(new URL('public', import.meta.url))))

const server = app.listen(PORT, () => console.log(`http://localhost:${PORT}`))

process.once('SIGTERM', () => {
  server.close()
  server.closeAllConnections()
})

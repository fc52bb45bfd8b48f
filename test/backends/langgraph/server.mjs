// node server.mjs PORT: LangGraph's Agent Server on JavaScript, in memory.
import { startServer } from '@langchain/langgraph-api/server'

process.env.LANGSMITH_TRACING = 'false'
await startServer({ port: Number(process.argv[2]), nWorkers: 10, host: '127.0.0.1', cwd: process.cwd(), graphs: { job: './graph.mjs:graph' } })

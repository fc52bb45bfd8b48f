/** An agent of the A2A SDK with both bindings. A test controls its tasks. */

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type AgentCard, type Message, type Part, TaskState } from '@a2a-js/sdk'
import { DefaultRequestHandler, type ExecutionEventBus, InMemoryTaskStore, type RequestContext } from '@a2a-js/sdk/server'
import { jsonRpcHandler, restHandler, UserBuilder } from '@a2a-js/sdk/server/express'
import express from 'express'
import type { RecordedJob } from './foreign-server.ts'

export interface A2aTask {
  id: string
  /** Sets the task's state, with a status message. */
  say(state: keyof typeof TaskState, text?: string): void
  artifact(text: string, append: boolean): void
  /** Ends the task's execution: nothing is published after it. */
  finish(): void
}

export interface A2aServer {
  /** The binding HTTP+JSON. */
  url: string
  /** The binding JSON-RPC. */
  rpcUrl: string
  task(): Promise<A2aTask>
  /** A task whose steps are status messages. */
  job(): Promise<RecordedJob>
  close(): Promise<void>
}

interface Said {
  parts: { text?: string }[]
}

const part = (value: string): Part => ({ content: { $case: 'text', value }, metadata: {}, filename: '', mediaType: '' })

export async function startA2a(): Promise<A2aServer> {
  const running = new Map<string, { bus: ExecutionEventBus; contextId: string; finish(): void }>()
  const status = (taskId: string, contextId: string, state: TaskState, text?: string) => {
    const base = { contextId, taskId, extensions: [], referenceTaskIds: [], metadata: {} }
    const message: Message | undefined = text === undefined ? undefined : { messageId: `m-${text}`, role: 2, parts: [part(text)], ...base }
    return { state, timestamp: new Date().toISOString(), message }
  }
  const executor = {
    async execute({ taskId, contextId, userMessage }: RequestContext, bus: ExecutionEventBus): Promise<void> {
      const finished = Promise.withResolvers<void>()
      running.set(taskId, { bus, contextId, finish: finished.resolve })
      const task = {
        id: taskId,
        contextId,
        status: status(taskId, contextId, TaskState.TASK_STATE_SUBMITTED),
        history: [userMessage],
        artifacts: [],
        metadata: {}
      }
      bus.publish({ kind: 'task', data: task })
      await finished.promise
      bus.finished()
    },
    async cancelTask(taskId: string, bus: ExecutionEventBus): Promise<void> {
      const { contextId = '', finish } = running.get(taskId) ?? {}
      bus.publish({ kind: 'statusUpdate', data: { taskId, contextId, metadata: {}, status: status(taskId, contextId, TaskState.TASK_STATE_CANCELED) } })
      finish?.()
    }
  }
  const card: AgentCard = {
    name: 'reports',
    description: 'writes reports',
    version: '1',
    supportedInterfaces: (['HTTP+JSON', 'JSONRPC'] as const).map((protocolBinding) => ({
      url: 'http://127.0.0.1',
      protocolBinding,
      protocolVersion: '1.0',
      tenant: ''
    })),
    capabilities: { streaming: true, pushNotifications: false, extensions: [], extendedAgentCard: false },
    defaultInputModes: ['text/plain'],
    defaultOutputModes: ['text/plain'],
    skills: [],
    securitySchemes: {},
    securityRequirements: [],
    signatures: [],
    provider: undefined
  }
  const requestHandler = new DefaultRequestHandler(card, new InMemoryTaskStore(), executor)
  const app = express()
  app.use('/rpc', jsonRpcHandler({ requestHandler, userBuilder: UserBuilder.noAuthentication }))
  app.use('/agent', restHandler({ requestHandler, userBuilder: UserBuilder.noAuthentication }))
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}` // as: it listens on a port
  let messages = 0
  async function task(): Promise<A2aTask> {
    const response = await fetch(`${origin}/agent/message:send`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'a2a-version': '1.0' },
      body: JSON.stringify({
        message: { messageId: `u-${++messages}`, role: 'ROLE_USER', parts: [{ text: 'go' }] },
        configuration: { returnImmediately: true }
      })
    })
    const { task } = (await response.json()) as { task: { id: string } } // as: the answer of the SDK's server
    const taskId = task.id
    const own = running.get(taskId)
    if (!own) throw new Error('the task has not begun')
    const { bus, contextId, finish } = own
    return {
      id: taskId,
      say: (state, text) =>
        bus.publish({
          kind: 'statusUpdate',
          data: { taskId, contextId, metadata: {}, status: status(taskId, contextId, TaskState[state] as TaskState, text) }
        }),
      artifact: (text, append) =>
        bus.publish({
          kind: 'artifactUpdate',
          data: {
            taskId,
            contextId,
            append,
            lastChunk: false,
            metadata: {},
            artifact: { artifactId: 'report', name: 'report', description: '', parts: [part(text)], metadata: {}, extensions: [] }
          }
        }),
      finish
    }
  }

  /** The agent's messages, oldest first: the history has all but the last, which is in the status. */
  async function record(id: string): Promise<number[]> {
    const answer = await fetch(`${origin}/agent/tasks/${id}`, { headers: { 'a2a-version': '1.0' } })
    const { history = [], status } = (await answer.json()) as { history?: Said[]; status: { message?: Said } } // as: the answer of the SDK's server
    return [...history, status.message].map((said) => Number(said?.parts[0]?.text)).filter((step) => step > 0)
  }

  return {
    url: `${origin}/agent`,
    rpcUrl: `${origin}/rpc`,
    task,
    async job() {
      const { id, say, finish } = await task()
      return {
        id,
        step: (n) => say('TASK_STATE_WORKING', `${n}`),
        end() {
          say('TASK_STATE_COMPLETED')
          finish()
        },
        record: () => record(id)
      }
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    }
  }
}

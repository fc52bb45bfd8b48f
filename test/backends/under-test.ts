import { createClient } from '../../src/index.ts'
import type { BackendUnderTest } from '../../src/testing/backend/types.ts'
import type { Subject } from './subjects.ts'

/** A subject, for the contract. */
export const underTest = ({ backend, stepOf, noticesSilence = true }: Subject, serve: BackendUnderTest['serve']): BackendUnderTest => ({
  promises: backend.promises ?? 'log',
  client: ({ url, token }) => createClient({ backend, url, memory: false, retry: { baseMs: 10, maxMs: 50 }, ...(token && { token }) }),
  serve,
  stepOf,
  noticesSilence
})

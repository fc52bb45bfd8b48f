import { createCipheriv, createHash } from 'node:crypto'
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { JobContext } from '../../src/server/index.ts'
import type { Pace } from '../jobs.ts'

const MIB = 1024 * 1024
const FILE_BYTES = 48 * MIB

/** Generates a large file and hashes it chunk by chunk; the result is its digest. */
export async function hashFile(job: JobContext, { steps, intervalMs }: Pace): Promise<{ algorithm: string; digest: string; bytes: number; seconds: number }> {
  const startedAt = performance.now()
  const folder = await mkdtemp(join(tmpdir(), 'jobtail-demo-'))
  try {
    await using file = await open(join(folder, 'generated.bin'), 'w+')
    await job.log(`generating ${FILE_BYTES / MIB} MiB`)
    await generate(file, job.signal)
    const chunkBytes = Math.ceil(FILE_BYTES / steps)
    await job.log(`hashing ${steps} chunks of ${Math.round(chunkBytes / 1024)} KiB`)
    const hash = createHash('sha256')
    const chunk = Buffer.alloc(chunkBytes)
    for (let step = 1, position = 0; step <= steps; step += 1) {
      const { bytesRead } = await file.read(chunk, 0, chunkBytes, position)
      hash.update(chunk.subarray(0, bytesRead))
      position += bytesRead
      await job.progress({ ratio: position / FILE_BYTES, current: round(position / MIB), total: FILE_BYTES / MIB, unit: 'MiB', stage: 'hashing' })
      if (Math.floor((step * 10) / steps) > Math.floor(((step - 1) * 10) / steps))
        await job.log(`${Math.floor((step * 10) / steps)}0 %: the digest so far is ${hash.copy().digest('hex').slice(0, 16)}…`)
      await pause(intervalMs, undefined, { signal: job.signal })
    }
    return { algorithm: 'sha256', digest: hash.digest('hex'), bytes: FILE_BYTES, seconds: round((performance.now() - startedAt) / 1000) }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A cipher's key stream: as random as a file can be, and the same each time. */
async function generate(file: FileHandle, signal: AbortSignal): Promise<void> {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 'jobtail'), Buffer.alloc(16))
  const zeros = Buffer.alloc(MIB)
  for (let written = 0; written < FILE_BYTES; written += MIB) {
    signal.throwIfAborted()
    await file.write(cipher.update(zeros))
  }
}

const round = (value: number): number => Math.round(value * 100) / 100

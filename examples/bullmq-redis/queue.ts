/** What the API and the workers have in common. */

export const REDIS_URL = process.env.REDIS_URL ?? 'redis://localhost:6379'
export const QUEUE = 'videos'

const { hostname, port } = new URL(REDIS_URL)
/** As BullMQ wants it: its workers wait for Redis for ever. */
export const connection = { host: hostname, port: Number(port || 6379), maxRetriesPerRequest: null }

export interface Video {
  title: string
  seconds: number
}

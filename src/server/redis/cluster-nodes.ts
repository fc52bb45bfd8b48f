import { type Connection, type ConnectionOptions, createConnection } from './connection.ts'

/** The nodes of a Redis Cluster, as far as their redirections have told; of a single Redis, that one. */
export interface ClusterNodes {
  /** Whom to ask for a key. */
  find(key: string): Connection
  /** A node, by a redirection's `host:port`. */
  at(address: string): Connection
  /** The key is kept there. */
  learn(key: string, address: string): void
  /** It may have moved: the node that it was at is not there. */
  forget(key: string): void
  close(): void
}

/** The nodes that are known from the start redirect to all others. One that is gone for long is forgotten, until a redirection names it again. */
export function createClusterNodes(options: Omit<ConnectionOptions, 'address' | 'onGone'>): ClusterNodes {
  const seed = createConnection(options)
  const nodes = new Map<string, Connection>()
  const slots = new Map<number, string>()

  function at(address: string): Connection {
    const node = nodes.get(address) ?? createConnection({ ...options, address, onGone: () => drop(address) })
    nodes.set(address, node)
    return node
  }

  function drop(address: string): void {
    nodes.get(address)?.close()
    nodes.delete(address)
    for (const [slot, at] of slots) if (at === address) slots.delete(slot)
  }

  return {
    find(key) {
      const address = slots.size > 0 ? slots.get(slotOf(key)) : undefined
      return address === undefined ? seed : at(address)
    },
    at,
    learn: (key, address) => void slots.set(slotOf(key), address),
    forget: (key) => void slots.delete(slotOf(key)),
    close() {
      seed.close()
      for (const node of nodes.values()) node.close()
    }
  }
}

const SLOTS = 16_384

/** CRC16 (XMODEM) of what stands in the first braces, as the Redis Cluster specification has it. */
export function slotOf(key: string): number {
  const open = key.indexOf('{')
  const close = key.indexOf('}', open + 1)
  const tag = open >= 0 && close > open + 1 ? key.slice(open + 1, close) : key
  let crc = 0
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : crc << 1
  }
  return crc % SLOTS
}

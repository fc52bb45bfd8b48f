import { type Connection, type ConnectionOptions, createConnection } from './connection.ts'

/** The nodes of a Redis Cluster that redirections have named so far. A single Redis is a cluster of one node. */
export interface ClusterNodes {
  /** The node that has the key, as far as is known; else one of those given by the user. */
  find(key: string): Connection
  /** The node at a redirection's `host:port`. */
  at(address: string): Connection
  /** Records which node has the key's slot. */
  learn(key: string, address: string): void
  /** Forgets which node has the key's slot: the node isn't there, and the slot may have moved. */
  forget(key: string): void
  close(): void
}

/**
 * Starts with the nodes given by the user, which redirect to the others. A node that can't be reached for twice `timeoutMs` is dropped until it is named
 * again.
 */
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

/** The key's slot: CRC16 (XMODEM) of its hash tag, by https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/. */
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

/** The connections of one client: one, unless the server carries fewer jobs on each than are followed. */

import type { Connection } from './connection.ts'
import type { Reader } from './delivery/reader.ts'

export interface Pool {
  join(reader: Reader): void
  leave(reader: Reader): void
  resume(reader: Reader): void
}

/** What a connection needs of its pool. */
export interface Capacity {
  capacity(): number | undefined
  onHello(mux: number): void
  onSurplus(readers: readonly Reader[]): void
}

export function createPool(connect: (capacity: Capacity) => Connection): Pool {
  const connections: Connection[] = []
  let mux: number | undefined

  function changed(): void {
    for (const connection of connections) connection.changed()
  }

  const capacity: Capacity = {
    capacity: () => mux,
    onHello(told) {
      if (told === mux) return
      mux = told
      changed()
    },
    onSurplus: (readers) => readers.forEach(join)
  }

  function open(): Connection {
    const connection = connect(capacity)
    connections.push(connection)
    return connection
  }

  function join(reader: Reader): void {
    const { job } = reader
    const connection = connections.find((each) => each.follows(job)) ?? connections.find((each) => each.takes(job)) ?? open()
    connection.add(reader)
  }

  return {
    join,
    leave(reader) {
      for (const connection of connections) connection.remove(reader)
    },
    resume(reader) {
      reader.paused = false
      changed()
    }
  }
}

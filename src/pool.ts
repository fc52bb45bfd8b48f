/** The connections of one client: one, unless the server carries fewer jobs on each than are followed. */

import type { Capacity, Connection } from './connection/connection.ts'
import type { Reader } from './types.ts'

export interface Pool {
  join(reader: Reader): void
  leave(reader: Reader): void
  /** A reader's mode has changed. */
  changed(reader: Reader): void
}

/** `isShared`: readers of one job share its connection. */
export function createPool(connect: (capacity: Capacity) => Connection, isShared: boolean): Pool {
  const connections: Connection[] = []
  const carriers = new Map<Reader, Connection>()
  let mux: number | undefined

  const capacity: Capacity = {
    capacity: () => mux,
    onHello(told) {
      if (told === mux) return
      mux = told
      for (const connection of connections) connection.changed()
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
    const connection = connections.find((each) => isShared && each.has(job)) ?? connections.find((each) => !each.has(job) && each.takes()) ?? open()
    carriers.set(reader, connection)
    connection.add(reader)
  }

  return {
    join,
    leave(reader) {
      carriers.get(reader)?.remove(reader)
      carriers.delete(reader)
    },
    changed: (reader) => carriers.get(reader)?.changed()
  }
}

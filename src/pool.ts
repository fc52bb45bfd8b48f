/** The connections of one client. There is one, unless a connection may carry fewer jobs than are followed. */

import type { Capacity, Connection } from './connection/connection.ts'
import type { Reader } from './types.ts'

/** Assigns readers to connections. */
export interface Pool {
  /** Adds a reader. */
  join(reader: Reader): void
  /** Removes a reader. */
  leave(reader: Reader): void
  /** Has to be called when a reader's mode has changed. */
  changed(reader: Reader): void
}

/** `isShared`: the readers of one job use one connection together. */
export function createPool(connect: (capacity: Capacity) => Connection, isShared: boolean): Pool {
  const connections: Connection[] = []
  const connectionOf = new Map<Reader, Connection>()
  let mux: number | undefined

  const capacity: Capacity = {
    capacity: () => mux,
    onMux(told) {
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
    connectionOf.set(reader, connection)
    connection.add(reader)
  }

  return {
    join,
    leave(reader) {
      connectionOf.get(reader)?.remove(reader)
      connectionOf.delete(reader)
    },
    changed: (reader) => connectionOf.get(reader)?.changed()
  }
}

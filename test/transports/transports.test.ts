import { ndjson } from '../../src/transports/ndjson.ts'
import { longPoll, shortPoll } from '../../src/transports/poll.ts'
import { sse } from '../../src/transports/sse.ts'
import { webSocket } from '../../src/transports/websocket.ts'
import { describeTransport } from './contract.ts'

describeTransport(webSocket, { hidesStatus: true })
describeTransport(sse)
describeTransport(ndjson)
describeTransport(longPoll, { connectionless: true })
describeTransport(shortPoll, { connectionless: true })

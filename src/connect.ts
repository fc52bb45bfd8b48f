/** jobtail/connect: follows jobs by Connect or gRPC-Web, of servers that have the service `jobtail.v1.JobService`. */

export { connect } from './connect/backend.ts'
export { JobService } from './connect/jobtail/v1/jobs_pb.ts'
export type { ConnectOptions, TransportOptions } from './connect/options.ts'

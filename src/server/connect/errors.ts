import { create } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { ProblemSchema } from '../../connect/jobtail/v1/jobs_pb.ts'
import type { HttpError } from '../http-error.ts'

const CODES: Readonly<Record<number, Code>> = {
  400: Code.InvalidArgument,
  401: Code.Unauthenticated,
  403: Code.PermissionDenied,
  404: Code.NotFound,
  405: Code.Unimplemented,
  408: Code.DeadlineExceeded,
  410: Code.DataLoss,
  413: Code.InvalidArgument,
  422: Code.InvalidArgument,
  429: Code.ResourceExhausted,
  503: Code.Unavailable
}

/** The status of a refused call. A refusal that speaks for the job has a `Problem` among its details: its client tells it by that from an intermediary's. */
export function toConnectError({ status, code, message, retryAfterMs }: Pick<HttpError, 'status' | 'code' | 'message' | 'retryAfterMs'>): ConnectError {
  const metadata = retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) }
  const problem =
    code === undefined ? [] : [{ desc: ProblemSchema, value: create(ProblemSchema, { status, code, message, retryAfterMs: toInt64(retryAfterMs) }) }]
  return new ConnectError(message, CODES[status] ?? Code.Internal, metadata, problem)
}

/** A number of milliseconds or bytes, or a `seq`, as an `int64`. 0 for `undefined`, which is the default of such a field. */
export const toInt64 = (value = 0): bigint => BigInt(Math.ceil(value))

/** The conformance suite for each backend whose server is started for each test. The others have it in a file of their own. */

import { describeBackend } from '../../src/testing/backend.ts'
import { servers } from './servers.ts'
import { type SubjectName, subjectNames, subjects } from './subjects.ts'
import { underTest } from './under-test.ts'

const elsewhere: readonly SubjectName[] = [
  'plainSse, of Nchan',
  'nchan',
  'durableStreams',
  'aiSdk',
  'langGraph',
  'celeryProgress',
  'a2a, by http',
  'a2a, by json-rpc'
]

for (const name of subjectNames) if (!elsewhere.includes(name)) describeBackend(name, underTest(subjects[name], servers[name].start))

/** jobtail/element: the elements `<job-progress>` and `<job-list>`, for pages of any kind. Importing it defines them. */

import { define } from './element/base.ts'
import { JobListElement } from './element/list.ts'
import { JobProgressElement } from './element/progress.ts'

export type { ElementConfiguration } from './element/configuration.ts'
export type { JobEventDetail } from './element/types.ts'
export type { Words } from './element/words.ts'
export { JobListElement, JobProgressElement }

define('job-progress', JobProgressElement)
define('job-list', JobListElement)

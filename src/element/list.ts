/** `<job-list>`: the running jobs that this browser knows. */

import type { JobList, KnownJob } from '../index.ts'
import { isEnd } from './announce.ts'
import { type Chosen, type Core, JobtailElement, setOrRemove } from './base.ts'
import { wordOf } from './configuration.ts'
import { displays } from './display.ts'
import type { JobProgressElement } from './progress.ts'
import { addStyle } from './style.ts'
import { make, makeRow, makeVoice, part, slot, write } from './view.ts'
import { languageOf } from './words.ts'

/** Parts of each job in the list, which a page's CSS reaches under the same names with `job-` before them. */
const PARTS = ['label', 'value', 'track', 'fill', 'stage', 'left', 'connection', 'cancel', 'result', 'error']

/** The element `<job-list>`: a `<job-progress>` for each job that this browser has started or followed and that has not ended as far as is known. */
export class JobListElement extends JobtailElement {
  /** What a job is called, for people. By default the time since which it is known. It is called when a job appears. */
  declare labelOf: ((job: KnownJob) => string) | undefined

  constructor() {
    super(createList)
  }
}

function createList(host: JobListElement): Core {
  const root = host.attachShadow({ mode: 'open' })
  addStyle(root)
  const label = slot('label')
  const [badge, list, empty, voice] = [part('badge'), part('list', 'ul'), part('empty', 'div', slot('empty')), makeVoice()]
  list.tabIndex = -1 // focusable by script: the focus comes here when its job goes
  list.role = 'list' // Safari takes the role from a list without markers
  root.append(makeRow(part('label', 'span', label), badge), list, empty, voice)

  const items = new Map<string, JobProgressElement>()
  let chosen: Chosen | undefined
  let jobs: JobList | undefined
  let leave: (() => void) | undefined

  function draw(): void {
    const known = jobs?.state ?? []
    for (const id of items.keys()) if (!known.some((job) => job.id === id)) remove(id)
    known.forEach((job, index) => {
      if (!items.has(job.id)) list.insertBefore(make('li', {}, add(job)), list.children[index] ?? null)
    })
    const { size } = items
    write(label, host.label ?? wordOf(host, 'jobs'))
    write(badge, `${size}`)
    badge.hidden = list.hidden = !size
    empty.hidden = size > 0
    setOrRemove(host, 'count', size)
  }

  function add(job: KnownJob): HTMLElement {
    const item = document.createElement('job-progress')
    const time = new Intl.DateTimeFormat(languageOf(host), { dateStyle: 'short', timeStyle: 'short' }).format(job.since)
    setOrRemove(item, 'quiet', '')
    setOrRemove(item, 'exportparts', PARTS.map((name) => `${name}:job-${name}`).join())
    if (!chosen?.canCancel || host.hasAttribute('no-cancel')) setOrRemove(item, 'no-cancel', '')
    item.client = chosen?.client
    item.job = job.id
    item.label = host.labelOf?.(job) ?? wordOf(host, 'since', time)
    items.set(job.id, item)
    return item
  }

  /** A job that leaves the list has mostly ended. That is said here, since the job's own live region goes. */
  function remove(id: string): void {
    const item = items.get(id)
    if (!item) return
    displays.get(item)?.draw()
    const status = `${item.getAttribute('status')}`
    if (isEnd(status)) write(voice, `${item.label}, ${wordOf(host, status as 'succeeded')}`) // as: for each end there is a word
    if (root.activeElement === item) list.focus()
    item.parentElement?.remove()
    items.delete(id)
  }

  function stop(): void {
    leave = leave?.() as undefined // as: it returns nothing
  }

  return {
    use(next) {
      if (next?.client !== chosen?.client) {
        stop()
        for (const id of items.keys()) remove(id)
        jobs = next?.client.jobs()
      }
      chosen = next
      leave ??= jobs?.subscribe(draw)
      draw()
    },
    stop
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'job-list': JobListElement
  }
}

import { el, say } from './dom.ts'
import { isShown, type Shown, type View } from './view.ts'
import { clientInWords, jobInWords } from './words.ts'

/** Lists the jobs that the page follows or has followed. */
export const createJobList = (): View =>
  createList((shown) => shown.recording.jobs.all.filter(({ client }) => isShown(shown, client)).map((job) => jobInWords(job, shown.at)))

/** Lists the clients with their settings. */
export const createClientList = (): View => createList(({ clients }) => clients.map((client) => `client ${client.number}\n${clientInWords(client)}`))

function createList(textsOf: (shown: Shown) => string[]): View {
  const element = el('ul', { class: 'texts' })
  return {
    element,
    paint(shown) {
      const texts = textsOf(shown)
      while (element.childElementCount > texts.length) element.lastElementChild?.remove()
      for (const [index, text] of texts.entries()) say(element.children[index] ?? element.appendChild(el('li')), text)
    }
  }
}

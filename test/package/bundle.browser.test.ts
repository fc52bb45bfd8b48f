import { expect, test } from 'vitest'
import { commands } from 'vitest/browser'
import type {} from '../../src/devtools.ts' // the type of its element

/** Runs a script of `dist/`, as a script tag does. */
async function load(file: string): Promise<void> {
  const source = await commands.readFile(`dist/${file}`)
  const script = document.createElement('script')
  script.src = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }))
  const loaded = new Promise((resolve, reject) => {
    script.onload = resolve
    script.onerror = reject
  })
  document.head.append(script)
  await loaded
  URL.revokeObjectURL(script.src)
  script.remove()
}

type Jobtail = typeof import('../../src/index.ts') & Partial<typeof import('../../src/explain.ts')>
const page = globalThis as unknown as { Jobtail?: Jobtail } // as: the scripts make it

test.each([[['jobtail.min.js', 'jobtail-explain.min.js']], [['jobtail-explain.min.js', 'jobtail.min.js']]])(
  'script tags set one global, Jobtail, with all exports: %s',
  async (files) => {
    const before = Object.keys(globalThis)
    for (const file of files) await load(file)
    expect(Object.keys(globalThis).filter((name) => !before.includes(name))).toEqual(['Jobtail'])
    const { Jobtail } = page
    expect(Jobtail?.subscribe('42').state.status).toBe('unknown')
    expect(Jobtail && new Jobtail.JobtailError('gap', 'lost')).toBeInstanceOf(Error)
    expect(Jobtail?.explain?.({ at: 0, attempt: 1, type: 'offline' })).toBe('the browser is offline')
    delete page.Jobtail
  }
)

test('the panel, after the main script, sees every client of the page', async () => {
  await load('jobtail.min.js')
  await load('jobtail-devtools.min.js')
  const { Jobtail } = page
  const panel = document.createElement('jobtail-devtools')
  panel.setAttribute('open', '')
  document.body.append(panel)
  const answer = (): Promise<Response> => Promise.resolve(new Response('', { status: 404 }))
  const client = Jobtail?.createClient({ url: '/jobs', fetch: answer, transports: [Jobtail.sse()], token: 'secret', memory: false, unknownJobGraceMs: 0 })
  const result = client?.subscribe('42').result
  panel.mark('click', 'You clicked.')
  await expect(result).rejects.toMatchObject({ code: 'unknown-job' })
  const lines = (): string => [...(panel.shadowRoot?.querySelectorAll('.happened, .texts') ?? [])].map(({ textContent }) => textContent).join('; ')
  await expect.poll(lines).toMatch(/You clicked\..* sse .*; client 1, job 42: unknown; 0 events/)
  expect(panel.report()).toMatch(/url: .*\/jobs\n[\s\S]*transports: sse\n[\s\S]*token: given, not shown\n[\s\S]*client 1, job 42: unknown;/)
  // Attributes whose names the platform's properties have in other letters.
  expect(panel.shadowRoot?.querySelectorAll('ol[tabindex="0"], textarea[readonly]')).toHaveLength(2)
  client?.close()
  panel.remove()
  delete page.Jobtail
})

test('the main script has no explain', async () => {
  await load('jobtail.min.js')
  expect(page.Jobtail?.explain).toBeUndefined()
  delete page.Jobtail
})

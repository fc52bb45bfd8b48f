import { expect, test } from 'vitest'
import { commands } from 'vitest/browser'

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

test('the main script has no explain', async () => {
  await load('jobtail.min.js')
  expect(page.Jobtail?.explain).toBeUndefined()
  delete page.Jobtail
})

import { expect, test } from 'vitest'
import { commands } from 'vitest/browser'

test('a script tag makes one global, Jobtail, with everything in it', async () => {
  const source = await commands.readFile('dist/jobtail.min.js')
  const before = Object.keys(globalThis)
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

  expect(Object.keys(globalThis).filter((name) => !before.includes(name))).toEqual(['Jobtail'])
  const { Jobtail } = globalThis as unknown as { Jobtail: typeof import('../../src/index.ts') } // as: the script has just made it
  expect(Jobtail.subscribe('42').state.status).toBe('unknown')
  expect(new Jobtail.JobtailError('gap', 'lost')).toBeInstanceOf(Error)
})

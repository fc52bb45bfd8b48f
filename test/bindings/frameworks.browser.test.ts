/** The bindings to Vue, Svelte, Solid and Angular, each with its own framework. */

import { describe, test } from 'vitest'
import { angular } from './angular/framework.ts'
import { endingRules } from './ending-rules.ts'
import { leavingRules } from './leaving-rules.ts'
import { rules } from './rules.ts'
import { createScene } from './scene.ts'
import { solid } from './solid/framework.ts'
import { svelte } from './svelte/framework.ts'
import { vue } from './vue/framework.ts'

describe.each([vue, svelte, solid, angular])('$name', (framework) => {
  test.each([...rules, ...leavingRules, ...endingRules])('%s', async (_, check) => check(await createScene(framework)))
})

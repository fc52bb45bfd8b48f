/** Settings of the reference (`npm run docs:reference`): a page for each entry of package.json's `exports`, from the source. */

import { existsSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { Comment, Converter, OptionDefaults } from 'typedoc'

const root = join(import.meta.dirname, '..')
const { exports, repository } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** The source file of each entry, by the name that it is imported by. */
const entries = new Map()
for (const [entry, { default: built }] of Object.entries(exports)) {
  if (built === undefined) continue // package.json itself
  const file = join(root, built.replace('./dist/', 'src/').replace(/\.js$/, '.ts'))
  if (!existsSync(file)) throw new Error(`package.json exports ${entry} as ${built}, but there is no ${relative(root, file)}`)
  entries.set(entry === '.' ? 'jobtail' : entry.replace('.', 'jobtail'), file)
}

const address = repository?.url.replace(/^git\+|\.git$/g, '')

/** Takes the links from "Defined in" while the repository has no public address: the file and the line stay, as text. */
function noSourceLinks(app) {
  app.converter.on(Converter.EVENT_RESOLVE_END, ({ project }) => {
    for (const { sources = [] } of Object.values(project.reflections)) for (const source of sources) delete source.url
    for (const { signatures = [] } of Object.values(project.reflections))
      for (const { sources = [] } of signatures) for (const source of sources) delete source.url
  })
}

/** Names each page as its entry is imported, and begins it with what the entry's file says of itself. */
function nameEntries(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const page of project.children ?? []) {
      const file = page.sources?.[0]?.fullFileName
      const [name] = [...entries].find(([, source]) => source === file) ?? []
      if (name === undefined) throw new Error(`typedoc made a module ${page.name} of ${file}, which is no entry of package.json`)
      page.name = name
      const said = /^\/\*\*\s*(.*?)\s*\*\//s.exec(readFileSync(file, 'utf8'))?.[1]?.replace(/^`?jobtail[/a-z]*`?: /, '') ?? ''
      page.comment = new Comment([{ kind: 'text', text: said.charAt(0).toUpperCase() + said.slice(1) }])
    }
  })
}

export default {
  plugin: ['typedoc-plugin-markdown', nameEntries, ...(address === undefined ? [noSourceLinks] : [])],
  name: 'Every exported name',
  entryPoints: [...entries.values()],
  tsconfig: join(import.meta.dirname, 'tsconfig.reference.json'),
  out: join(import.meta.dirname, 'reference'),
  json: join(import.meta.dirname, 'reference/api.json'),
  readme: 'none',
  displayBasePath: root,
  router: 'module',
  sort: ['source-order'],
  excludeExternals: true,
  // What protoc-gen-es writes beside each comment of a .proto file.
  blockTags: [...OptionDefaults.blockTags, '@generated'],
  excludeTags: [...OptionDefaults.excludeTags, '@generated'],
  disableGit: true, // what is written doesn't depend on the remotes of somebody's check-out
  sourceLinkTemplate: `${address}/blob/main/{path}#L{line}`,
  hideBreadcrumbs: true,
  hidePageHeader: true,
  includeVersion: false,
  parametersFormat: 'table',
  indexFormat: 'table',
  // A type that is not exported shows in an exported one as its name alone. The inventory test names the exports without a docstring.
  validation: { notExported: false, invalidLink: true, rewrittenLink: true, notDocumented: false },
  treatWarningsAsErrors: true
}

/** Of typedoc's `ReflectionKind`; typedoc itself is a dependency of docs/ alone. */
const Kind = { Constructor: 512, Reference: 4_194_304 } as const

/** What is used of typedoc's JSON. */
interface Reflection {
  name: string
  kind: number
  comment?: { summary: readonly unknown[] }
  children?: Reflection[]
  signatures?: Reflection[]
  getSignature?: Reflection
  type?: { declaration?: Reflection }
  sources?: { fileName: string; line: number }[]
}

/** Exported names, their methods, and the members of what is named `…Options`, that have no sentence of their own. */
export function undocumented(project: Reflection): string[] {
  const found: string[] = []
  for (const entry of project.children ?? [])
    for (const each of entry.children ?? []) {
      if (each.kind === Kind.Reference) continue // documented where it comes from
      const members = (each.children ?? []).filter((member) => member.kind !== Kind.Constructor && (each.name.endsWith('Options') || isMethod(member)))
      const names = [each, ...members].filter((one) => !isDocumented(one))
      found.push(...names.map((one) => `${entry.name}: ${one === each ? '' : `${each.name}.`}${one.name}, ${place(one)}`))
    }
  return found
}

const place = ({ sources: [source] = [] }: Reflection): string => (source ? `${source.fileName}:${source.line}` : 'somewhere')

const signaturesOf = ({ signatures, getSignature, type }: Reflection): readonly Reflection[] =>
  signatures ?? (getSignature ? [getSignature] : (type?.declaration?.signatures ?? []))

const isMethod = (reflection: Reflection): boolean => signaturesOf(reflection).length > 0

const hasSummary = ({ comment }: Reflection): boolean => (comment?.summary.length ?? 0) > 0

function isDocumented(reflection: Reflection): boolean {
  const signatures = signaturesOf(reflection)
  return hasSummary(reflection) || (signatures.length > 0 && signatures.every(hasSummary))
}

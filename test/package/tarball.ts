import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

export const run: typeof execFile.__promisify__ = promisify(execFile)

export const root: string = join(import.meta.dirname, '../..')

/** The path of an installed command. */
export const bin = (name: string): string => join(root, 'node_modules/.bin', name)

export interface Packed {
  tarball: string
  /** An empty folder next to the tarball. */
  folder: string
  remove(): Promise<void>
}

/** Packs the package as it would be published, with the existing build. */
export async function pack(): Promise<Packed> {
  const folder = await mkdtemp(join(tmpdir(), 'jobtail-package-'))
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], { cwd: root })
  const [packed]: { filename: string }[] = JSON.parse(stdout)
  if (!packed) throw new Error(`npm pack made nothing: ${stdout}`)
  return { tarball: join(folder, packed.filename), folder, remove: () => rm(folder, { recursive: true, force: true }) }
}

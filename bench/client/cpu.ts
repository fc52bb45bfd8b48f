/** CPU time of the pages' main threads, as counted by the kernel. The browser takes no part in the measurement. */

import { readdirSync, readFileSync } from 'node:fs'

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return '' // the process has ended meanwhile, or this is not Linux
  }
}

function processes(): number[] {
  try {
    return readdirSync('/proc').map(Number).filter(Number.isInteger)
  } catch {
    return [] // not Linux
  }
}

/** The renderer processes among the descendants of this process. */
function renderers(): number[] {
  const parents = new Map<number, number>()
  for (const pid of processes()) {
    const stat = readProc(pid, 'stat')
    if (stat) parents.set(pid, Number(stat.slice(stat.lastIndexOf(')') + 4).split(' ')[0]))
  }
  const isOurs = (pid: number | undefined): boolean => pid !== undefined && pid > 1 && (parents.get(pid) === process.pid || isOurs(parents.get(pid)))
  return [...parents.keys()].filter((pid) => isOurs(pid) && readProc(pid, 'cmdline').includes('--type=renderer'))
}

/** CPU time by process id, in ms. A process's schedstat is that of its first thread, in a renderer the main thread. */
export type CpuMs = ReadonlyMap<number, number>

export const mainThreads = (): CpuMs => new Map(renderers().map((pid) => [pid, Number(readProc(pid, 'schedstat').split(' ')[0]) / 1e6]))

/** The CPU time that the busiest renderer has used since then; NaN if the kernel doesn't count it. */
export function cpuSince(before: CpuMs): number {
  const used = [...mainThreads()].map(([pid, ms]) => ms - (before.get(pid) ?? 0))
  return used.length > 0 ? Math.max(...used) : Number.NaN
}

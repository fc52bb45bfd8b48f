/** Processor time of the pages' main threads, as the kernel counts it: nothing in the browser has to measure, or be told to. */

import { readdirSync, readFileSync } from 'node:fs'

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return '' // it has ended meanwhile, or this is no Linux
  }
}

function processes(): number[] {
  try {
    return readdirSync('/proc').map(Number).filter(Number.isInteger)
  } catch {
    return [] // no Linux
  }
}

/** The renderers among the processes that this one, or one of them, has started. */
function renderers(): number[] {
  const parents = new Map<number, number>()
  for (const pid of processes()) {
    const stat = readProc(pid, 'stat')
    if (stat) parents.set(pid, Number(stat.slice(stat.lastIndexOf(')') + 4).split(' ')[0]))
  }
  const isOurs = (pid: number | undefined): boolean => pid !== undefined && pid > 1 && (parents.get(pid) === process.pid || isOurs(parents.get(pid)))
  return [...parents.keys()].filter((pid) => isOurs(pid) && readProc(pid, 'cmdline').includes('--type=renderer'))
}

/** By process, in ms. A process's own schedstat is that of its first thread, which is a renderer's main one. */
export type CpuMs = ReadonlyMap<number, number>

export const mainThreads = (): CpuMs => new Map(renderers().map((pid) => [pid, Number(readProc(pid, 'schedstat').split(' ')[0]) / 1e6]))

/** What the busiest has used since then; NaN where the kernel doesn't say. */
export function cpuSince(before: CpuMs): number {
  const used = [...mainThreads()].map(([pid, ms]) => ms - (before.get(pid) ?? 0))
  return used.length > 0 ? Math.max(...used) : Number.NaN
}

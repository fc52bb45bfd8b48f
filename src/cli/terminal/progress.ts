/** Formats progress: in words, and as a bar. */

import type { ProgressData } from '../../types.ts'

const WIDTH = 30

/** The ratio, 0 to 1; `undefined` where the data has none, or a malformed one. */
export function ratioOf(data: ProgressData | null): number | undefined {
  const { ratio, current, total } = data ?? {}
  const found = ratio ?? (total && current !== undefined ? current / total : undefined)
  return typeof found === 'number' && !Number.isNaN(found) ? Math.min(1, Math.max(0, found)) : undefined
}

export function progressInWords(data: ProgressData | null): string {
  const { current, total, unit = '', stage, message } = data ?? {}
  const ratio = ratioOf(data)
  const count = current === undefined ? '' : `${current}${total === undefined ? '' : `/${total}`}${unit && ` ${unit}`}`
  return [ratio === undefined ? '' : `${Math.round(ratio * 100)}%`, count, stage, message].filter(Boolean).join(' ')
}

/** A bar with the time since the first event (`elapsedMs`), and with the time left where there is a ratio. */
export function progressBar(data: ProgressData | null, elapsedMs: number): string {
  const ratio = ratioOf(data)
  const filled = Math.round((ratio ?? 0) * WIDTH)
  const left = ratio && ratio < 1 && elapsedMs > 0 ? `, ${duration((elapsedMs * (1 - ratio)) / ratio)} left` : ''
  return `[${'#'.repeat(filled)}${' '.repeat(WIDTH - filled)}] ${duration(elapsedMs)}${left} ${progressInWords(data)}`.trimEnd()
}

/** Formats a duration as `7s`, `1:05` or `2:03:04`. */
export function duration(ms: number): string {
  const s = Math.round(ms / 1000)
  if (s < 60) return `${s}s`
  const two = (value: number): string => String(value).padStart(2, '0')
  const minutes = Math.floor(s / 60)
  return minutes < 60 ? `${minutes}:${two(s % 60)}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(s % 60)}`
}

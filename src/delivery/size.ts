/** Roughly how much memory a value takes, in bytes. Not recursive: JSON may be nested deeper than the stack allows. */
export function sizeOf(value: unknown): number {
  let size = 0
  const rest = [value]
  while (rest.length > 0) {
    const each = rest.pop()
    size += typeof each === 'string' ? 24 + each.length * 2 : 16
    if (typeof each === 'object' && each !== null) for (const inner of Object.values(each)) rest.push(inner)
  }
  return size
}

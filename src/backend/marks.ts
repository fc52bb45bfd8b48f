/**
 * The marks of the events that a reader has seen in a document, one for each. The mark of an item in a list that only grows,
 * `{list}_{index}`, stands for the items before it too.
 */

const listOf = (mark: string): string | undefined => /^(\w+_)\d+$/.exec(mark)?.[1]
const indexOf = (mark: string): number => Number(mark.slice(mark.lastIndexOf('_') + 1))

/** Whether the event of this mark was seen. */
export function isSeen(marks: readonly string[], mark: string): boolean {
  const list = listOf(mark)
  return list === undefined ? marks.includes(mark) : marks.some((each) => listOf(each) === list && indexOf(each) >= indexOf(mark))
}

/** The marks that are kept where a document no longer has their events: those of lists. */
export const lasting = (marks: readonly string[]): string[] => marks.filter((mark) => listOf(mark) !== undefined)

/** The marks with one more. It replaces an earlier one of the same list. */
export function withMark(marks: readonly string[], mark: string): string[] {
  if (isSeen(marks, mark)) return [...marks]
  const list = listOf(mark)
  return [...(list === undefined ? marks : marks.filter((each) => listOf(each) !== list)), mark]
}

/** A hash of a text, in letters and digits: FNV-1a with 32 bits. */
export function hashOf(text: string): string {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return (hash >>> 0).toString(36)
}

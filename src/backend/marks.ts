/**
 * What of a document a reader has seen: a mark for each thing that it said. A mark of an item in a list that only grows, `{list}_{index}`, stands for those
 * before it as well.
 */

const listOf = (mark: string): string | undefined => /^(\w+_)\d+$/.exec(mark)?.[1]
const indexOf = (mark: string): number => Number(mark.slice(mark.lastIndexOf('_') + 1))

export function isSeen(marks: readonly string[], mark: string): boolean {
  const list = listOf(mark)
  return list === undefined ? marks.includes(mark) : marks.some((each) => listOf(each) === list && indexOf(each) >= indexOf(mark))
}

/** Those of lists outlast a document that doesn't have them. */
export const lasting = (marks: readonly string[]): string[] => marks.filter((mark) => listOf(mark) !== undefined)

export function withMark(marks: readonly string[], mark: string): string[] {
  if (isSeen(marks, mark)) return [...marks]
  const list = listOf(mark)
  return [...(list === undefined ? marks : marks.filter((each) => listOf(each) !== list)), mark]
}

import type { MarkdownRenderer } from 'vitepress'

/** A column without a heading gets an empty `td` in place of an empty `th`, which a screen reader would announce as a heading. */
export function emptyHeadings(md: MarkdownRenderer): void {
  md.core.ruler.push('empty-headings', ({ tokens }) => {
    for (const [at, token] of tokens.entries()) {
      const close = tokens[at + 2]
      if (token.type !== 'th_open' || close?.type !== 'th_close' || tokens[at + 1]?.content !== '') continue
      token.tag = 'td'
      close.tag = 'td'
    }
  })
}

/** The look of both elements. A style sheet that is constructed needs no permission of a content-security policy. */

const sheets = new WeakMap<Document, CSSStyleSheet>()

/** Adds the styles to a shadow root, also where another document has adopted it: a sheet is of one document, and is lost then. */
export function addStyle(root: ShadowRoot): void {
  const { ownerDocument } = root
  const { defaultView } = ownerDocument
  if (!defaultView) return // nobody sees it
  const sheet = sheets.get(ownerDocument) ?? new defaultView.CSSStyleSheet()
  if (!sheets.has(ownerDocument)) sheet.replaceSync(CSS)
  sheets.set(ownerDocument, sheet)
  root.adoptedStyleSheets = [sheet]
}

const CSS = `
:host { display: block }
:host([hidden]), [hidden] { display: none !important }
ul { display: grid; gap: 1em; margin: 1em 0; padding: 0; list-style: none }
button { font: inherit }
div { overflow-wrap: anywhere }
span, #error, #connection { unicode-bidi: plaintext }
#error, #connection { inline-size: fit-content }
.row { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 .75em; min-block-size: 1lh }
.row > :first-child { margin-inline-end: auto }
#label { font-weight: bold }
#badge { padding: 0 .6em; border: 1px solid; border-radius: 1em }
#track {
  overflow: hidden;
  block-size: var(--job-progress-height, .6em);
  margin: .3em 0;
  border-radius: var(--job-progress-radius, 1em);
  background: var(--job-progress-track, color-mix(in srgb, currentColor 18%, transparent));
  print-color-adjust: exact;
}
#fill { block-size: 100%; inline-size: 0; background: var(--job-progress-color, light-dark(#2563eb, #7aa7ff)) }
.failed > #fill, .error > #fill { background: var(--job-progress-failed, light-dark(#b3261e, #ff8a80)) }
.busy > #fill { inline-size: 40%; animation: busy 1.6s linear infinite }
@keyframes busy { 0% { margin-inline-start: -40% } to { margin-inline-start: 100% } }
[role=status] { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
@media (prefers-reduced-motion) { .busy > #fill { inline-size: 100%; animation: none; opacity: .4 } }
@media (forced-colors) { #track { border: 1px solid } #fill { forced-color-adjust: none; background: Highlight !important } }
@media print { button { display: none } }
`

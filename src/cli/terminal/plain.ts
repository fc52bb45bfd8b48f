/** What a server sends may not move the cursor, or worse. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is taken out
export const plain = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')

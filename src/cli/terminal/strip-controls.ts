/** Replaces control characters by a space: text from a server must not move the terminal's cursor or change its settings. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it replaces
export const stripControls = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')

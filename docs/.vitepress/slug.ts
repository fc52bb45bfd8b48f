/**
 * The anchor that GitHub gives a heading, so that one link works in the repository and on the site. Letters, digits, `_`, `-` and blanks stay, in lower case;
 * each blank becomes a hyphen. VitePress' own slugs differ: they collapse hyphens and mark a leading digit.
 */
export const slug = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-')

/** Where the panel is and whether it is open, kept for the tab's session. */

/** In the order in which the panel moves through them. */
const CORNERS = ['bottom-right', 'bottom-left', 'top-left', 'top-right'] as const
export type Corner = (typeof CORNERS)[number]

export interface Place {
  readonly isOpen: boolean
  readonly corner: Corner
}

const KEY = 'jobtail-devtools'

export const nextCorner = (corner: Corner): Corner => CORNERS[(CORNERS.indexOf(corner) + 1) % CORNERS.length] ?? CORNERS[0]

/** What was kept. `isOpen`: used where nothing was. */
export function readPlace(isOpen: boolean): Place {
  const [open, kept] = readText().split(' ')
  return {
    isOpen: open === 'open' || (open !== 'closed' && isOpen),
    corner: CORNERS.find((corner) => corner === kept) ?? CORNERS[0]
  }
}

export function keepPlace({ isOpen, corner }: Place): void {
  try {
    sessionStorage.setItem(KEY, `${isOpen ? 'open' : 'closed'} ${corner}`)
  } catch {
    // The page may not store anything, or its storage is full: the panel then begins anew after a reload.
  }
}

function readText(): string {
  try {
    return sessionStorage.getItem(KEY) ?? ''
  } catch {
    return '' // reading `sessionStorage` throws where the user or a sandbox denies it
  }
}

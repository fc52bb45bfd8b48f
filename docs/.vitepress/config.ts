import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from 'vitepress'
import { linksOutside } from './outside.ts'
import { files, nav, sidebar } from './pages.ts'
import { slug } from './slug.ts'
import { emptyHeadings } from './tables.ts'

const docs = join(import.meta.dirname, '..')
const repository: string | undefined = JSON.parse(readFileSync(join(docs, '../package.json'), 'utf8')).repository?.url?.replace(/^git\+|\.git$/g, '')

const missing = files.filter((file) => !existsSync(join(docs, file)))
if (missing.length > 0) throw new Error(`the sidebar lists pages that do not exist: ${missing.join(', ')}. docs/reference/ is made by npm run docs:reference`)

export default defineConfig({
  title: 'Jobtail',
  description: 'Follow long jobs from a web page, over whatever the network lets through. Each event once, in order.',
  lang: 'en',
  head: [
    ['link', { rel: 'icon', href: '/logo.svg', type: 'image/svg+xml' }],
    ['meta', { name: 'theme-color', content: '#2563eb' }]
  ],
  cleanUrls: false,
  lastUpdated: false,
  vite: { build: { chunkSizeWarningLimit: 1500 } }, // kB: the reference of `jobtail` is one page
  markdown: {
    anchor: { slugify: slug },
    languageAlias: { haproxy: 'nginx', caddy: 'nginx' }, // they have no grammar of their own
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    config(md) {
      linksOutside(md, repository)
      emptyHeadings(md)
    }
  },
  // VitePress gives this class once its script has run, and then the bar jumps.
  transformHtml: (html) => (html.includes('"VPContent has-sidebar"') ? html.replace('class="VPNavBar"', 'class="VPNavBar has-sidebar"') : undefined),
  themeConfig: {
    logo: { src: '/logo.svg', width: 24, height: 24, alt: '' },
    nav,
    sidebar,
    outline: { level: [2, 3] },
    search: { provider: 'local' },
    ...(repository === undefined ? {} : { socialLinks: [{ icon: 'github', link: repository }] }),
    footer: { message: 'MIT licensed.' }
  }
})

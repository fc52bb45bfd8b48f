import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from 'vitepress'
import { linksOutside } from './outside.ts'
import { nav, sidebar } from './pages.ts'
import { slug } from './slug.ts'
import { emptyHeadings } from './tables.ts'

const docs = join(import.meta.dirname, '..')
const repository: string | undefined = JSON.parse(readFileSync(join(docs, '../package.json'), 'utf8')).repository?.url?.replace(/^git\+|\.git$/g, '')

const exists = (link: string | undefined) => existsSync(join(docs, `${link}.md`))

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
  ignoreDeadLinks: [(link) => /(start|guides)\//.test(link)],
  markdown: {
    anchor: { slugify: slug },
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    config(md) {
      linksOutside(md, repository)
      emptyHeadings(md)
    }
  },
  themeConfig: {
    logo: { src: '/logo.svg', width: 24, height: 24, alt: '' },
    nav: nav.filter((item) => 'link' in item && exists(String(item.link))),
    sidebar: sidebar.map((group) => ({ ...group, items: group.items?.filter((item) => exists(item.link)) ?? [] })),
    outline: { level: [2, 3] },
    search: { provider: 'local' },
    ...(repository === undefined ? {} : { socialLinks: [{ icon: 'github', link: repository }] }),
    footer: { message: 'MIT licensed.' }
  }
})

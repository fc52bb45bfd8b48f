import { Content } from 'vitepress'
import DefaultTheme, { VPHomeFeatures, VPHomeHero } from 'vitepress/theme-without-fonts'
import { h } from 'vue'
import './style.css'

/** VitePress' own home page has no `main`. */
const Home = () => h('main', { class: 'home' }, [h(VPHomeHero), h(VPHomeFeatures), h('div', { class: 'vp-doc home-text' }, h(Content))])

export default {
  extends: DefaultTheme,
  enhanceApp: ({ app }: { app: import('vue').App }) => app.component('home-page', Home)
}

import { createClient } from 'jobtail'
import { jobtailKey } from 'jobtail/vue'
import { createApp } from 'vue'
import ReportList from './ReportList.vue'

// Once, for all components. Where people share a browser, add `identity: user.id`, and call `client.forget()` as somebody signs out.
const client = createClient()

createApp(ReportList).provide(jobtailKey, client).mount('#root')

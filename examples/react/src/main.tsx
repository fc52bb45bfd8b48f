import { createClient } from 'jobtail'
import { JobtailProvider } from 'jobtail/react'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { Reports } from './reports.tsx'

// Once, outside of the components. Where people share a browser, add `identity: user.id`, and call `client.forget()` as somebody signs out.
const client = createClient()

createRoot(document.querySelector('#root') ?? document.body).render(
  <StrictMode>
    <JobtailProvider client={client}>
      <Reports />
    </JobtailProvider>
  </StrictMode>
)

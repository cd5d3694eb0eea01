// Runs the settings that the console shows for openid-client, as they are: only the import is ours, and what the text
// leaves to the application, that the browser goes to `url` and comes back to `currentUrl`.
//
//   stdin   { snippet, secret, redirect_uri, username, password }
//   stdout  { ok, claims } or { ok: false, step, failure }; exit status 1

import * as oidc from 'openid-client'
import { Browser } from './browser.mjs'
import { run } from './rp.mjs'

const IMPORT = "import * as oidc from 'openid-client'\n"
const BACK = '// 2. '

await run(async (job, report) => {
  report.step = 'snippet'
  if (!job.snippet.includes(IMPORT) || !job.snippet.includes(BACK)) throw new Error('another text than expected')
  const text = job.snippet.replace(IMPORT, '').replace(BACK, 'const currentUrl = await browse(url)\n// 2. ')
  const AsyncFunction = (async () => {}).constructor
  const signIn = new AsyncFunction('oidc', 'process', 'browse', `${text}\nreturn user`)
  const answers = [
    { form: 'login-form', fields: { username: job.username, password: job.password }, button: 'login-submit' },
    { form: 'consent-form', button: 'consent-allow' },
  ]
  const browse = async (url) => new URL((await new Browser().journey(url, job.redirect_uri, answers)).url)
  report.claims = await signIn(oidc, { env: { OIDC_CLIENT_SECRET: job.secret } }, browse)
})

// Performs one journey through pages in Chromium, as a person would, and says what it saw.
//
//   stdin   { base, steps: [...], out?, javascript?: true, color_scheme?: "light" | "dark", viewport?: [width, height],
//             locale?: "en-GB", timeout_ms?: 15000, deadline_ms?: 180000,
//             ignore_https_errors?: false }
//   stdout  { ok: true, steps, url, text, violations, screenshots, console, foreign, values }
//           or { ok: false, failed: { message, index?, step?, url?, text? }, … }; exit status 1
//   env     COUNTERSIGN_TEST_CHROMIUM: the browser's program
//
// A step is an object whose `do` names it; addresses may be relative to `base`. `target` is a CSS selector, or
// { name }, { label }, { text } or { role, name }.
//
//   goto url · fill target value · check target · uncheck target · select target value · click target · press key
//   back · reload · cookie name value (as if we had set it) · clear_cookies · new_page (another tab of the same browser; later steps are there)
//   authenticator (gives the page one that has passkeys, verifies its owner, and answers at once)
//   no_autofill (pages from now on cannot offer passkeys while a name is typed)
//   wait_for target · expect_url url (a prefix, or a pattern between slashes) · expect_title text
//   expect_text text · expect_no_text text · expect_selector target · expect_no_selector target
//   read target as [attribute] (keeps text, or an attribute, in `values`)
//   set_viewport size · color_scheme scheme
//   screenshot name (one file) · gallery name (phone and desktop, light and dark: four files)
//   axe [include] [disable] (WCAG 2.2 A and AA; what it finds is in `violations`, with the page; needs JavaScript)
//   inspect name (phone and desktop, light and dark: no_overflow in each, axe if there is JavaScript,
//   pictures if there is `out`)
//   no_overflow (the page must not scroll sideways)
//
// `console` lists warnings and errors of the pages, broken Content-Security-Policy among them. Requests to other hosts
// than loopback are refused and listed in `foreign`.

import { text } from 'node:stream/consumers'
import { chromium } from 'playwright-core'
import { SIZES, STEPS, viewportOf, visibleText } from './steps.mjs'

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\]|[a-z0-9-]+\.localhost)$/
const ARGUMENTS = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

const job = JSON.parse(await text(process.stdin))
const report = {
  ok: false,
  steps: 0,
  url: null,
  text: null,
  violations: [],
  screenshots: [],
  console: [],
  foreign: [],
  values: {},
}

let browser
let finished = false
// Whatever hangs, the caller gets an answer, and no browser is left behind.
const deadline = setTimeout(() => {
  report.failed ??= { message: 'the journey took too long' }
  finish().finally(() => process.exit())
}, job.deadline_ms ?? 180_000)
try {
  browser = await chromium.launch({
    executablePath: process.env.COUNTERSIGN_TEST_CHROMIUM ?? '/usr/bin/chromium',
    // Chromium's sandbox needs a user who is not root.
    chromiumSandbox: process.getuid() !== 0,
    args: ARGUMENTS,
  })
  await perform(await open(browser))
} catch (error) {
  report.failed = { message: plain(error.message) }
}
clearTimeout(deadline)
await finish()

async function finish() {
  if (finished) return
  finished = true
  await browser?.close()
  process.stdout.write(`${JSON.stringify(report)}\n`)
  process.exitCode = report.ok ? 0 : 1
}

async function open(browser) {
  const context = await browser.newContext({
    baseURL: job.base,
    javaScriptEnabled: job.javascript ?? true,
    colorScheme: job.color_scheme ?? 'light',
    locale: job.locale ?? 'en-GB',
    viewport: viewportOf(job.viewport ?? SIZES.desktop),
    ignoreHTTPSErrors: job.ignore_https_errors ?? false,
    serviceWorkers: 'block',
    // Colours are judged as they end up, not on their way.
    reducedMotion: 'reduce',
  })
  context.setDefaultTimeout(job.timeout_ms ?? 15_000)
  await context.route(
    (url) => url.protocol.startsWith('http') && !LOOPBACK.test(url.hostname),
    (route) => {
      report.foreign.push(route.request().url())
      return route.abort()
    },
  )
  context.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) {
      report.console.push({ type: message.type(), text: message.text(), url: message.location().url })
    }
  })
  context.on('weberror', (error) => report.console.push({ type: 'exception', text: error.error().message }))
  return context
}

async function perform(context) {
  const here = { context, page: await context.newPage(), scheme: job.color_scheme ?? 'light', job, report }
  for (const [index, step] of job.steps.entries()) {
    try {
      const act = STEPS[step.do]
      if (!act) throw new Error(`there is no step "${step.do}"`)
      await act(here, step)
      report.steps = index + 1
    } catch (error) {
      report.failed = { index, step, message: plain(error.message), url: here.page.url(), text: await visibleText(here.page) }
      return
    }
  }
  report.url = here.page.url()
  report.text = await visibleText(here.page)
  report.ok = true
}

/** Without the colours that Playwright puts into its messages. */
function plain(message) {
  return message.replace(/\u001b\[\d+m/g, '')
}

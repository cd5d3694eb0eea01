// What a journey is made of; run.mjs lists the steps and their fields.
//
// A step gets `here` (page, context, scheme, job, report) and its own object, and throws when the page is not as asked.

import { mkdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'

export const SIZES = { phone: [390, 844], desktop: [1280, 800] }
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

export const STEPS = {
  async goto({ page }, { url }) {
    await page.goto(url, { waitUntil: 'load' })
  },
  async fill({ page }, { target, value }) {
    await find(page, target).fill(value)
  },
  async check({ page }, { target }) {
    await find(page, target).check()
  },
  async uncheck({ page }, { target }) {
    await find(page, target).uncheck()
  },
  async select({ page }, { target, value }) {
    await find(page, target).selectOption(value)
  },
  async click({ page }, { target }) {
    await find(page, target).click()
    await page.waitForLoadState('load')
  },
  async press({ page }, { key }) {
    await page.keyboard.press(key)
    await page.waitForLoadState('load')
  },
  async back({ page }) {
    await page.goBack({ waitUntil: 'load' })
  },
  async reload({ page }) {
    await page.reload({ waitUntil: 'load' })
  },
  async cookie({ context, job }, { name, value }) {
    await context.addCookies([{ name, value, url: job.base }])
  },
  async clear_cookies({ context }) {
    await context.clearCookies()
  },
  async authenticator(here) {
    const session = await debuggerOf(here.page)
    await session.send('WebAuthn.enable')
    const options = {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    }
    await session.send('WebAuthn.addVirtualAuthenticator', { options })
  },
  async no_autofill({ page }) {
    await page.addInitScript('PublicKeyCredential.isConditionalMediationAvailable = async () => false')
  },
  async new_page(here) {
    here.page = await here.context.newPage()
    await here.page.emulateMedia({ colorScheme: here.scheme })
  },
  async wait_for({ page }, { target }) {
    await find(page, target).waitFor({ state: 'visible' })
  },
  async expect_url({ page, job }, { url }) {
    const pattern = /^\/.*\/$/.test(url) && url.length > 2 ? new RegExp(url.slice(1, -1)) : undefined
    const prefix = pattern ? undefined : new URL(url, job.base).href
    const fits = (address) => (pattern ? pattern.test(address.href) : address.href.startsWith(prefix))
    await page.waitForURL(fits, { waitUntil: 'load' }).catch(() => {
      throw new Error(`expected the address ${url}`)
    })
  },
  async expect_title({ page }, { text: wanted }) {
    const title = await page.title()
    if (!title.includes(wanted)) throw new Error(`expected the title to have "${wanted}"; it is "${title}"`)
  },
  async expect_text({ page }, { text: wanted }) {
    await page.getByText(wanted).filter({ visible: true }).first().waitFor({ state: 'visible' }).catch(() => {
      throw new Error(`expected the text "${wanted}"`)
    })
  },
  async expect_no_text({ page }, { text: unwanted }) {
    if ((await visibleText(page)).includes(unwanted)) throw new Error(`did not expect the text "${unwanted}"`)
  },
  async expect_selector({ page }, { target }) {
    await find(page, target).waitFor({ state: 'visible' }).catch(() => {
      throw new Error(`expected to see ${JSON.stringify(target)}`)
    })
  },
  async expect_no_selector({ page }, { target }) {
    if (await find(page, target).isVisible()) throw new Error(`did not expect to see ${JSON.stringify(target)}`)
  },
  async read({ page, report }, { target, as, attribute }) {
    const element = find(page, target)
    report.values[as] = attribute ? await element.getAttribute(attribute) : await element.innerText()
  },
  async set_viewport({ page }, { size }) {
    await page.setViewportSize(viewportOf(size))
  },
  async color_scheme(here, { scheme }) {
    here.scheme = scheme
    await here.page.emulateMedia({ colorScheme: scheme })
  },
  async screenshot(here, { name }) {
    await takePicture(here, name)
  },
  async gallery(here, { name }) {
    const { page, scheme } = here
    const size = page.viewportSize()
    for (const [device, dimensions] of Object.entries(SIZES)) {
      for (const colorScheme of ['light', 'dark']) {
        await page.setViewportSize(viewportOf(dimensions))
        await page.emulateMedia({ colorScheme })
        await takePicture(here, `${name}-${device}-${colorScheme}`)
      }
    }
    await page.setViewportSize(size)
    await page.emulateMedia({ colorScheme: scheme })
  },
  async inspect(here, { name }) {
    const { page, scheme, job } = here
    const size = page.viewportSize()
    for (const [device, dimensions] of Object.entries(SIZES)) {
      for (const colorScheme of ['light', 'dark']) {
        await page.setViewportSize(viewportOf(dimensions))
        await page.emulateMedia({ colorScheme })
        await STEPS.no_overflow(here)
        if (job.javascript !== false) await STEPS.axe(here, {})
        if (job.out) await takePicture(here, `${name}-${device}-${colorScheme}`)
      }
    }
    await page.setViewportSize(size)
    await page.emulateMedia({ colorScheme: scheme })
  },
  async axe({ page, job, report }, { include, disable = [] }) {
    // Its promises are never settled in a page whose JavaScript is switched off.
    if (job.javascript === false) throw new Error('axe needs JavaScript')
    const found = await examine(page, include, disable)
    report.violations.push(...found.map((violation) => ({ url: page.url(), ...violation })))
  },
  async no_overflow({ page }) {
    const [content, window] = await evaluate(
      page,
      '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
    )
    if (content > window) throw new Error(`the page is ${content} wide in a window of ${window}`)
  },
}

function find(page, target) {
  if (typeof target === 'string') return page.locator(target).first()
  if (target.role) return page.getByRole(target.role, { name: target.name }).first()
  if (target.label) return page.getByLabel(target.label).first()
  if (target.text) return page.getByText(target.text).filter({ visible: true }).first()
  if (target.name) return page.locator(`[name="${target.name}"]:not([type="hidden"])`).first()
  throw new Error(`not a target: ${JSON.stringify(target)}`)
}

const debuggers = new WeakMap()

/** One session for each page, never detached: an authenticator would go with any session that ends. */
function debuggerOf(page) {
  if (!debuggers.has(page)) debuggers.set(page, page.context().newCDPSession(page))
  return debuggers.get(page)
}

/** Evaluates through the debugger, which the page's own policy does not forbid. */
async function evaluate(page, expression) {
  const session = await debuggerOf(page)
  const { result, exceptionDetails } = await session.send('Runtime.evaluate', {
    expression,
    awaitPromise: true,
    returnByValue: true,
    allowUnsafeEvalBlockedByCSP: true,
    timeout: 30_000,
  })
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
  return result.value
}

async function examine(page, include, disable) {
  const options = {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
    rules: Object.fromEntries(disable.map((rule) => [rule, { enabled: false }])),
    resultTypes: ['violations'],
  }
  await evaluate(page, `${axe};0`)
  const scope = include ? JSON.stringify(include) : 'document'
  const { violations } = await evaluate(page, `axe.run(${scope}, ${JSON.stringify(options)})`)
  return violations.map(({ id, impact, help, nodes }) => ({
    id,
    impact,
    help,
    nodes: nodes.map(({ target, html, failureSummary }) => ({ target: target.join(' '), html, why: failureSummary })),
  }))
}

async function takePicture({ page, job, report }, name) {
  if (!job.out) throw new Error('a screenshot needs the folder `out`')
  await mkdir(job.out, { recursive: true })
  const file = path.join(job.out, `${name}.png`)
  await page.screenshot({ path: file, fullPage: true, animations: 'disabled' })
  report.screenshots.push(file)
}

export async function visibleText(page) {
  const body = await page.locator('body').innerText({ timeout: 2000 }).catch(() => '')
  return body.replace(/\s+/g, ' ').trim().slice(0, 2000)
}

export function viewportOf([width, height]) {
  return { width, height }
}

// A browser without JavaScript: cookies, redirects and plain HTML forms.
//
// It goes from page to page until it is sent to an address that belongs to the application (the redirect URI), and
// never requests that one: who called wants to look at it. Which form is filled with what is told by answers:
//
//   { form: "login-form", fields: { username: "ada", password: "…" }, button: "login-submit" }
//
// `form` and `button` are ids or names (a button also its value); an answer without `form` fits any form that has all
// of its fields and its button. Each answer is used once, so that a refused password ends in an error that shows
// the page.

import http from 'node:http'
import https from 'node:https'
import { parse } from 'parse5'
import { CookieJar } from 'tough-cookie'

const REDIRECTS = [301, 302, 303, 307, 308]
const MOST_PAGES = 20
const MOST_BYTES = 4 * 1024 * 1024

export class PageError extends Error {
  constructor(message, page) {
    super(message)
    this.name = 'PageError'
    this.page = page
  }
}

export class Browser {
  constructor() {
    this.jar = new CookieJar(undefined, {
      rejectPublicSuffixes: false,
      allowSpecialUseDomain: true,
      prefixSecurity: 'strict',
    })
    this.visited = []
  }

  /** Goes to `url` and answers forms until the browser is sent to `landing`. Returns { url, method, params }. */
  async journey(url, landing, answers) {
    const open = [...answers]
    let step = { url: new URL(url), method: 'GET', from: null }
    for (let pages = 0; pages < MOST_PAGES; pages++) {
      const page = await this.load(step, landing)
      if (page.landed) return page.landed
      const next = this.answer(page, landing, open)
      if (next.landed) return next.landed
      step = next
    }
    throw new PageError(`no end after ${MOST_PAGES} pages`, undefined)
  }

  /** Follows redirects to a page, or to the landing address. */
  async load({ url, method, body, from }, landing) {
    for (let hops = 0; hops < MOST_PAGES; hops++) {
      if (landing && isAt(url, landing)) {
        return { landed: { url: url.href, method: 'GET', params: Object.fromEntries(url.searchParams) } }
      }
      const response = await this.send(url, method, body, from)
      this.visited.push(`${method} ${response.status} ${url.pathname}`)
      if (!REDIRECTS.includes(response.status) || !response.headers.location) return readPage(url, response)
      const kept = response.status === 307 || response.status === 308
      url = new URL(response.headers.location, url)
      if (!kept) [method, body] = ['GET', undefined]
    }
    throw new PageError(`more than ${MOST_PAGES} redirects`, { url: url.href })
  }

  answer(page, landing, open) {
    const automatic = page.forms.find((form) => landing && isAt(form.action, landing))
    if (automatic) {
      // response_mode=form_post: a browser with JavaScript would submit this by itself.
      return { landed: { url: automatic.action.href, method: 'POST', params: Object.fromEntries(automatic.values()) } }
    }
    for (const form of page.forms) {
      const index = open.findIndex((answer) => form.fits(answer))
      if (index >= 0) {
        const [answer] = open.splice(index, 1)
        return { ...form.submission(answer), from: page }
      }
    }
    throw new PageError(`no answer fits this page (status ${page.status})`, page.summary())
  }

  async send(url, method, body, from) {
    const headers = {
      accept: 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8',
      'accept-language': 'en',
      'user-agent': 'countersign-tests (a browser without JavaScript)',
      'sec-fetch-dest': 'document',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-site': !from ? 'cross-site' : from.url.origin === url.origin ? 'same-origin' : 'cross-site',
      'sec-fetch-user': '?1',
    }
    const cookies = await this.jar.getCookieString(url.href)
    if (cookies) headers.cookie = cookies
    if (body !== undefined) {
      headers['content-type'] = 'application/x-www-form-urlencoded'
      headers['content-length'] = Buffer.byteLength(body)
      // Fetch, "append a request Origin header": a page that sends no referrer posts with the origin null.
      headers.origin = !from || from.referrerPolicy === 'no-referrer' ? 'null' : from.url.origin
    }
    const response = await request(url, { method, headers }, body)
    for (const cookie of response.headers['set-cookie'] ?? []) {
      await this.jar.setCookie(cookie, url.href, { ignoreError: true })
    }
    return response
  }
}

/** Whether `url` is the landing address, whatever query it carries. */
function isAt(url, landing) {
  const target = new URL(landing)
  return url.origin === target.origin && url.protocol === target.protocol && url.pathname === target.pathname
}

function request(url, options, body) {
  return new Promise((resolve, reject) => {
    const client = url.protocol === 'https:' ? https : http
    const sent = client.request(url, { ...options, timeout: 30_000 }, (response) => {
      const chunks = []
      let length = 0
      response.on('data', (chunk) => {
        length += chunk.length
        if (length > MOST_BYTES) response.destroy(new Error(`more than ${MOST_BYTES} bytes from ${url.pathname}`))
        chunks.push(chunk)
      })
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode,
          headers: response.headers,
          text: Buffer.concat(chunks).toString('utf8'),
        }),
      )
    })
    sent.on('timeout', () => sent.destroy(new Error(`no answer from ${url.href} within 30 s`)))
    sent.on('error', reject)
    sent.end(body)
  })
}

function readPage(url, response) {
  const root = parse(response.text)
  const elements = [...descendants(root)]
  const page = {
    url,
    status: response.status,
    referrerPolicy: response.headers['referrer-policy'],
    text: visibleText(root),
    forms: elements.filter((node) => node.tagName === 'form').map((node) => new Form(node, elements, url)),
  }
  page.summary = () => ({
    url: url.href,
    status: page.status,
    forms: page.forms.map((form) => form.id ?? form.name ?? form.action.pathname),
    text: page.text.slice(0, 2000),
  })
  return page
}

class Form {
  constructor(node, elements, url) {
    this.id = attribute(node, 'id')
    this.name = attribute(node, 'name')
    this.action = new URL(attribute(node, 'action') || url.href, url)
    this.method = (attribute(node, 'method') ?? 'get').toUpperCase()
    const inside = new Set(descendants(node))
    this.controls = elements.filter((element) => {
      if (!['input', 'button', 'select', 'textarea'].includes(element.tagName)) return false
      if (attribute(element, 'disabled') !== undefined) return false
      const owner = attribute(element, 'form')
      return owner === undefined ? inside.has(element) : owner === this.id
    })
  }

  fits({ form, fields = {}, button }) {
    if (form !== undefined && form !== this.id && form !== this.name) return false
    const names = new Set(this.controls.map((control) => attribute(control, 'name')))
    return Object.keys(fields).every((name) => names.has(name)) && (button === undefined || !!this.button(button))
  }

  button(called) {
    return this.controls.filter(isButton).find((control) => {
      return ['id', 'name', 'value'].some((key) => attribute(control, key) === called)
    })
  }

  /** What the form would send untouched: pairs of name and value. */
  values() {
    const pairs = []
    for (const control of this.controls) {
      const name = attribute(control, 'name')
      if (!name || isButton(control)) continue
      const type = attribute(control, 'type')
      if ((type === 'checkbox' || type === 'radio') && attribute(control, 'checked') === undefined) continue
      pairs.push([name, valueOf(control)])
    }
    return pairs
  }

  submission({ fields = {}, button }) {
    const pairs = this.values().filter(([name]) => !(name in fields))
    for (const [name, value] of Object.entries(fields)) {
      for (const one of [value].flat()) pairs.push([name, String(one)])
    }
    const pressed = button === undefined ? this.controls.find(isButton) : this.button(button)
    const pressedName = pressed && attribute(pressed, 'name')
    if (pressedName) pairs.push([pressedName, attribute(pressed, 'value') ?? ''])
    const action = new URL((pressed && attribute(pressed, 'formaction')) || this.action.href, this.action)
    const body = new URLSearchParams(pairs).toString()
    if (this.method === 'POST') return { url: action, method: 'POST', body }
    action.search = body
    return { url: action, method: 'GET' }
  }
}

function isButton(control) {
  const type = attribute(control, 'type')
  return control.tagName === 'button' ? type !== 'button' && type !== 'reset' : type === 'submit' || type === 'image'
}

function valueOf(control) {
  if (control.tagName === 'textarea') return textOf(control)
  if (control.tagName !== 'select') {
    return attribute(control, 'value') ?? (attribute(control, 'type') === 'checkbox' ? 'on' : '')
  }
  const options = [...descendants(control)].filter((node) => node.tagName === 'option')
  const chosen = options.find((option) => attribute(option, 'selected') !== undefined) ?? options[0]
  return chosen ? (attribute(chosen, 'value') ?? textOf(chosen)) : ''
}

function attribute(node, name) {
  return node.attrs?.find((attr) => attr.name === name)?.value
}

function* descendants(node) {
  for (const child of node.childNodes ?? []) {
    yield child
    yield* descendants(child)
  }
}

function textOf(node) {
  return [...descendants(node)].filter((child) => child.nodeName === '#text').map((child) => child.value).join('')
}

function visibleText(node) {
  if (['head', 'script', 'style', 'template'].includes(node.tagName)) return ''
  if (attribute(node, 'hidden') !== undefined) return ''
  if (node.nodeName === '#text') return node.value.replace(/\s+/g, ' ')
  const parts = (node.childNodes ?? []).map(visibleText).join(' ')
  return parts.replace(/\s+/g, ' ').trim()
}

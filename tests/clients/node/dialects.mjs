// Clients of the described APIs as their documents show them: fetch, a stored token, and whatever each does when it
// ends. Behind them an API verifies by the JWKS alone.
//
// The job: { api, base_url, issuer, audience, … }. The report tells what happened, call by call.

import { createRemoteJWKSet, jwtVerify } from 'jose'

const job = JSON.parse(await new Response(process.stdin).text())
const keys = createRemoteJWKSet(new URL(`${job.issuer}/.well-known/jwks.json`))
const report = {}

async function verify(token) {
  const { payload } = await jwtVerify(token, keys, {
    issuer: job.issuer,
    audience: job.audience,
    algorithms: ['ES256'],
    typ: 'at+jwt',
  })
  return payload
}

async function call(method, path, { token, body, headers = {} } = {}) {
  const response = await fetch(`${job.base_url}${path}`, {
    method,
    headers: {
      ...(token && { Authorization: `Bearer ${token}` }),
      ...(body && { 'Content-Type': 'application/json' }),
      ...headers,
    },
    body: body && JSON.stringify(body),
  })
  const text = await response.text()
  return { status: response.status, ok: response.ok, data: text ? JSON.parse(text) : null }
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms))

const clients = {
  // A day's token that is refreshed while it is valid.
  async jack() {
    const { email, password } = job
    const wrong = await call('POST', '/api/v1/auth/login', { body: { email, password: 'wrong' } })
    report.wrong = [wrong.status, wrong.data.error.code]
    const login = await call('POST', '/api/v1/auth/login', { body: { email, password } })
    const { token, expiresAt } = login.data.data
    report.role = (await verify(token)).role
    await pause(1100)
    const next = await call('POST', '/api/v1/auth/refresh', { token })
    report.later = new Date(next.data.data.expiresAt) > new Date(expiresAt)
    report.check = (await call('GET', '/api/v1/auth/check', { token: next.data.data.token })).status
    report.logout = (await call('POST', '/api/v1/auth/logout', { token: next.data.data.token })).status
    const gone = await call('GET', '/api/v1/auth/check', { token })
    report.gone = [gone.status, gone.data.error.code]
    const none = await call('GET', '/api/v1/auth/check')
    report.none = [none.status, none.data.error.code]
  },

  // In a browser: btoa, session storage, a timer that refreshes five minutes before the end.
  async eden() {
    const storage = new Map()
    const login = async (username, password, org) => {
      const headers = { Authorization: `Basic ${btoa(`${username}:${password}`)}`, 'X-Org-Id': org }
      const response = await call('POST', '/auth/login', { headers })
      if (!response.ok) throw new Error('Authentication failed')
      storage.set('token', response.data.token)
      storage.set('expires', response.data.expires)
      return response.data
    }
    report.wrong = await login(job.username, 'wrong', job.org).then(() => 'in', (error) => error.message)
    const data = await login(job.username, job.password, job.org)
    report.level = data.user.accessLevel
    report.claims = await verify(data.token)
    report.timer = new Date(new Date(storage.get('expires')).getTime() - 5 * 60 * 1000) - new Date() > 0
    const refreshed = await call('GET', '/auth/refresh', { token: storage.get('token') })
    report.refresh = refreshed.status
    report.logout = (await call('POST', '/auth/logout', { token: storage.get('token') })).status
    report.failed = (await call('GET', '/auth/refresh', { token: refreshed.data.token })).status
    const page = await fetch(`${job.base_url}/login`, { redirect: 'manual' })
    report.page = page.status
  },

  // No refresh: on 401 log in again, keep the token, try once more.
  async orgstack() {
    const login = async () => {
      const { username, password } = job
      return (await call('POST', '/api/auth/login', { body: { username, password } })).data
    }
    let logins = 0
    let token = 'stale'
    const request = async (path) => {
      const first = await call('GET', path, { token })
      if (first.status !== 401) return first
      const data = await login()
      logins += 1
      token = data.token
      return call('GET', path, { token })
    }
    report.first = (await request('/api/auth/check')).status
    report.second = (await request('/api/auth/check')).status
    report.logins = logins
    report.answer = await login()
    report.life = await verify(token).then((claims) => claims.exp - claims.iat)
    await call('POST', '/api/auth/logout', { token })
    report.again = (await request('/api/auth/check')).status
    report.logins_at_end = logins
    const wrong = await call('POST', '/api/auth/login', { body: { username: job.username, password: 'wrong' } })
    report.wrong = wrong.data
  },

  // A pair: on 401 refresh and try again; on 429 back off.
  async tendedloop() {
    const login = await call('POST', '/api/auth/login', { body: { email: job.email, password: job.password } })
    let { accessToken, refreshToken } = login.data.data.tokens
    report.claims = await verify(accessToken)
    const request = async (path) => {
      const first = await call('GET', path, { token: accessToken })
      if (first.status !== 401) return first
      const pair = await call('POST', '/api/auth/refresh', { body: { refreshToken } })
      if (!pair.ok) return pair
      ;({ accessToken, refreshToken } = pair.data.data)
      return call('GET', path, { token: accessToken })
    }
    report.me = (await request('/api/auth/me')).data.data.user.email
    accessToken = 'expired'
    report.refreshed = (await request('/api/auth/me')).status
    report.verified = (await verify(accessToken)).type
    report.logout = (await call('POST', '/api/auth/logout', { token: accessToken, body: { refreshToken } })).status
    const end = await request('/api/auth/me')
    report.end = [end.status, end.data.code]
    for (let tries = 0; tries < 20; tries += 1) {
      const body = { email: 'nobody@example.com', password: 'wrong' }
      const answer = await call('POST', '/api/auth/login', { body })
      if (answer.status === 429) {
        report.limited = answer.data
        break
      }
    }
  },

  // Scope by headers that are sent only if they are stored.
  async jardine() {
    const stored = new Map()
    const scope = () => Object.fromEntries([...stored].filter(([, value]) => value))
    const { email, password } = job
    const login = await call('POST', '/api/auth/login', { body: { email, password }, headers: scope() })
    let { token, refresh_token: refresh } = login.data
    const me = await call('GET', '/api/auth/me', { token, headers: scope() })
    report.memberships = me.data.memberships.length
    stored.set('X-Organization-ID', me.data.active.organization_id)
    report.scoped = (await call('GET', '/api/auth/me', { token, headers: scope() })).status
    report.claims = await verify(token)
    const wrong = await call('GET', '/api/auth/me', { token, headers: { 'X-Organization-ID': 'elsewhere' } })
    report.foreign = [wrong.status, wrong.data.error.code]
    const renamed = await call('PATCH', '/api/auth/me', { token, headers: scope(), body: { name: 'Ada Lovelace' } })
    report.name = renamed.data.user.name
    const next = await call('POST', '/api/auth/refresh', { body: { refresh_token: refresh } })
    ;({ token, refresh_token: refresh } = next.data)
    report.refreshed = (await call('GET', '/api/auth/me', { token, headers: scope() })).status
    report.logout = (await call('POST', '/api/auth/logout', { token })).status
    stored.clear()
    const gone = await call('GET', '/api/auth/me', { token })
    report.gone = [gone.status, gone.data.error.code]
  },
}

await clients[job.api]()
process.stdout.write(JSON.stringify(report))

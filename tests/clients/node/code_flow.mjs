// openid-client signs a person in, as an application would: discovery, PKCE, the pages, the code, and what follows.
//
//   stdin   { issuer, client_id, auth: "none" | "basic" | "post" | "private_key_jwt", client_secret?, private_jwk?,
//             redirect_uri, scope?, username, password, consent?: "allow" | "deny", answers?: [...],
//             par?: bool, response_mode?, resource?, id_token_alg?, parameters?: { prompt, max_age, … },
//             steps?: ["userinfo", "refresh", "introspection", "revocation", "again", "logout"],
//             again?: { prompt: "none", … }, post_logout_redirect_uri? }
//   stdout  { ok, callback, tokens, claims, userinfo, refreshed, introspection, after_revocation, again, logout,
//             visited }
//           or { ok: false, step, failure: { error, description, status?, page? }, … }; exit status 1
//
// `steps` are done in the order given here, each only if it is named; without `steps`, userinfo alone. `again` sends
// the same browser through a second request and has `tokens` and `claims`, or `step` and `failure`. `answers` replaces
// what is filled in on the pages (see browser.mjs).

import * as oidc from 'openid-client'
import { Browser } from './browser.mjs'
import { configure, describe, parameters, run } from './rp.mjs'

await run(async (job, report) => {
  const browser = new Browser()
  report.visited = browser.visited
  const wanted = new Set(job.steps ?? ['userinfo'])

  report.step = 'discovery'
  const config = await configure(job)

  const tokens = await authorize(config, job, browser, job.parameters ?? {}, report)
  report.tokens = tokens
  report.claims = tokens.claims()
  const subject = report.claims?.sub ?? oidc.skipSubjectCheck

  if (wanted.has('userinfo')) {
    report.step = 'userinfo'
    report.userinfo = await oidc.fetchUserInfo(config, tokens.access_token, subject)
  }
  let current = tokens
  if (wanted.has('refresh')) {
    report.step = 'refresh'
    current = await oidc.refreshTokenGrant(config, tokens.refresh_token, parameters({ resource: job.resource }))
    report.refreshed = current
    report.refreshed_claims = current.claims()
  }
  if (wanted.has('introspection')) {
    report.step = 'introspection'
    report.introspection = await oidc.tokenIntrospection(config, current.access_token)
  }
  if (wanted.has('revocation')) {
    report.step = 'revocation'
    await oidc.tokenRevocation(config, current.refresh_token)
    report.after_revocation = await refused(() => oidc.refreshTokenGrant(config, current.refresh_token))
  }
  if (wanted.has('again')) {
    // The same browser comes once more, for example with prompt=none; a refusal is a result here.
    const second = (report.again = {})
    try {
      second.tokens = await authorize(config, job, browser, job.again ?? { prompt: 'none' }, second)
      second.claims = second.tokens.claims()
      delete second.step
    } catch (error) {
      second.failure = describe(error)
    }
  }
  if (wanted.has('logout')) {
    report.step = 'logout'
    const state = oidc.randomState()
    const url = oidc.buildEndSessionUrl(
      config,
      parameters({
        id_token_hint: current.id_token ?? tokens.id_token,
        post_logout_redirect_uri: job.post_logout_redirect_uri,
        state: job.post_logout_redirect_uri && state,
      }),
    )
    const landed = await browser.journey(url, job.post_logout_redirect_uri, [
      ...(job.answers ?? []),
      { form: 'logout-form', button: 'logout-confirm' },
    ])
    report.logout = { url: url.href, landed, state_matches: landed.params.state === state }
  }
})

/** One authorization request, up to the tokens that its code was exchanged for. */
async function authorize(config, job, browser, extra, report) {
  const verifier = oidc.randomPKCECodeVerifier()
  const state = oidc.randomState()
  const nonce = oidc.randomNonce()
  const asked = parameters({
    redirect_uri: job.redirect_uri,
    scope: job.scope ?? 'openid',
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    response_mode: job.response_mode,
    resource: job.resource,
    ...extra,
  })

  report.step = job.par ? 'pushed authorization request' : 'authorization request'
  const url = job.par
    ? await oidc.buildAuthorizationUrlWithPAR(config, asked)
    : oidc.buildAuthorizationUrl(config, asked)

  report.step = 'pages'
  const landed = await browser.journey(url, job.redirect_uri, answers(job))
  report.callback = landed

  report.step = 'token'
  return oidc.authorizationCodeGrant(
    config,
    callbackRequest(landed),
    {
      pkceCodeVerifier: verifier,
      expectedState: state,
      expectedNonce: nonce,
      idTokenExpected: (job.scope ?? 'openid').split(' ').includes('openid'),
      maxAge: extra.max_age,
    },
    parameters({ resource: job.resource }),
  )
}

function answers(job) {
  if (job.answers) return job.answers
  const decision = job.consent === 'deny' ? 'consent-deny' : 'consent-allow'
  return [
    {
      form: 'login-form',
      fields: { username: job.username, password: job.password },
      button: 'login-submit',
    },
    { form: 'consent-form', button: decision },
  ]
}

/** The callback as the application's web server would see it. */
function callbackRequest({ url, method, params }) {
  if (method === 'GET') return new URL(url)
  return new Request(url, {
    method,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(params).toString(),
  })
}

async function refused(attempt) {
  try {
    await attempt()
    return { error: null }
  } catch (error) {
    return describe(error)
  }
}

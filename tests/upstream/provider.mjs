// A real OpenID Provider on a free loopback port, until its standard input ends.
//
// It reads one line of JSON, { shape, client, accounts }, and prints one, { origin, issuer }. `shape` is how it speaks:
//   oidc       by the book: user claims at userinfo
//   google     user claims in the ID token
//   microsoft  the same, an issuer for each tenant, and shared metadata below /common and /organizations
// Whoever follows a redirect to /interaction/… adds ?account=NAME: they are signed in as that account, and allow what is
// asked of them, each when it is asked.
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import Provider from 'oidc-provider'

const lines = createInterface({ input: process.stdin })
const job = JSON.parse(await new Promise((resolve) => lines.once('line', resolve)))
lines.on('close', () => process.exit(0))

const server = createServer()
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const origin = `http://127.0.0.1:${server.address().port}`
const mount = job.shape === 'microsoft' ? `/${job.tenant}/v2.0` : ''
const issuer = origin + mount

const provider = new Provider(issuer, {
  clients: [{ ...job.client, redirect_uris: ['http://localhost/callback'] }],
  claims: {
    openid: ['sub', 'hd', 'tid', 'oid', 'xms_edov'],
    profile: ['name', 'given_name', 'family_name', 'locale', 'picture', 'preferred_username'],
    email: ['email', 'email_verified'],
  },
  conformIdTokenClaims: job.shape === 'oidc',
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, interaction) => `${mount}/interaction/${interaction.uid}` },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...job.accounts[id] }) }),
  cookies: { keys: ['not a secret'] },
  ttl: { AccessToken: 600, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
})

// The application's port is not known when this starts.
provider.Client.prototype.redirectUriAllowed = (uri) =>
  /^http:\/\/localhost:\d+\/login\/federation\/[a-z0-9-]+\/callback$/.test(uri)

const handle = provider.callback()

// What the page there asks: who it is, and then whether they allow it.
async function interact(req, res, account) {
  const { prompt, params, session } = await provider.interactionDetails(req, res)
  if (prompt.name === 'login') {
    return provider.interactionFinished(req, res, { login: { accountId: account } })
  }
  const grant = new provider.Grant({ clientId: params.client_id, accountId: session.accountId })
  grant.addOIDCScope(prompt.details.missingOIDCScope.join(' '))
  const consent = { grantId: await grant.save() }
  return provider.interactionFinished(req, res, { consent }, { mergeWithLastSubmission: true })
}

async function answer(req, res) {
  const url = new URL(req.url, origin)
  const shared = /^\/(common|organizations)\/v2\.0\/\.well-known\/openid-configuration$/
  if (job.shape === 'microsoft' && shared.test(url.pathname)) {
    const own = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()
    // Microsoft does not name itself in its answers.
    const { authorization_response_iss_parameter_supported: _, ...document } = own
    res.setHeader('content-type', 'application/json')
    return res.end(JSON.stringify({ ...document, issuer: `${origin}/{tenantid}/v2.0` }))
  }
  if (url.pathname.startsWith(`${mount}/interaction/`)) {
    return interact(req, res, url.searchParams.get('account'))
  }
  req.originalUrl = req.url
  req.url = req.url.slice(mount.length)
  return handle(req, res)
}

server.on('request', (req, res) => {
  answer(req, res).catch((error) => {
    res.statusCode = 500
    res.end(String(error))
  })
})
console.log(JSON.stringify({ origin, issuer }))

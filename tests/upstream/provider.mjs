// A real OpenID Provider on a free loopback port, until its standard input ends.
//
// It reads one line of JSON, { shape, client, accounts }, and prints one, { origin, issuer }. `shape` is how it speaks:
//   oidc       by the book: user claims at userinfo
//   google     user claims in the ID token
//   microsoft  the same, an issuer for each tenant, and shared metadata below /common and /organizations
// Whoever follows a redirect to /interaction/… adds ?account=NAME and is signed in as that account.
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
  loadExistingGrant: async (ctx) => {
    const grant = new provider.Grant({
      clientId: ctx.oidc.client.clientId,
      accountId: ctx.oidc.session.accountId,
    })
    grant.addOIDCScope('openid profile email')
    await grant.save()
    return grant
  },
  cookies: { keys: ['not a secret'] },
  ttl: { AccessToken: 600, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
})

// The application's port is not known when this starts.
provider.Client.prototype.redirectUriAllowed = (uri) =>
  /^http:\/\/localhost:\d+\/login\/federation\/[a-z0-9-]+\/callback$/.test(uri)

const handle = provider.callback()

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
    const login = { accountId: url.searchParams.get('account') }
    return provider.interactionFinished(req, res, { login })
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

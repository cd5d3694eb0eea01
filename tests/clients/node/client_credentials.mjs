// openid-client asks for a token of its own (RFC 6749 §4.4).
//
//   stdin   { issuer, client_id, client_secret | private_jwk, auth, scope?, resource? }
//   stdout  { ok, tokens }

import * as oidc from 'openid-client'
import { configure, parameters, run } from './rp.mjs'

await run(async (job, report) => {
  report.step = 'discovery'
  const config = await configure(job)
  report.step = 'token'
  report.tokens = await oidc.clientCredentialsGrant(config, parameters({ scope: job.scope, resource: job.resource }))
})

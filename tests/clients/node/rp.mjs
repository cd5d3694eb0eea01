// What the relying-party scripts share: the job on standard input, the client it describes, the one line of result.

import { text } from 'node:stream/consumers'
import { importJWK } from 'jose'
import * as oidc from 'openid-client'

/** Runs `act(job, report)` and prints `report` as one line of JSON; `report.step` names where a failure happened. */
export async function run(act) {
  const report = { ok: false, step: 'start' }
  try {
    await act(JSON.parse(await text(process.stdin)), report)
    report.ok = true
    delete report.step
  } catch (error) {
    report.failure = describe(error)
    process.exitCode = 1
  }
  process.stdout.write(`${JSON.stringify(report)}\n`)
}

/** The protocol's own error code where there is one: an answer of the server, or a refusal by the library. */
export function describe(error) {
  // A protected resource says it in WWW-Authenticate (RFC 6750 §3).
  const challenge = Array.isArray(error.cause) ? error.cause[0]?.parameters : undefined
  const failure = {
    error: error.error ?? challenge?.error ?? error.code ?? error.name,
    description: error.error_description ?? challenge?.error_description ?? error.message,
    status: error.status,
    page: error.page,
  }
  const cause = error.cause
  if (cause instanceof Error) failure.cause = `${cause.code ?? cause.name}: ${cause.message}`
  return failure
}

/** Discovers the issuer and prepares the client; ID tokens are verified with the JWKS, wherever they came from. */
export async function configure(job) {
  const metadata = { redirect_uris: job.redirect_uri ? [job.redirect_uri] : undefined }
  if (job.id_token_alg) metadata.id_token_signed_response_alg = job.id_token_alg
  const issuer = new URL(job.issuer)
  const execute = [oidc.enableNonRepudiationChecks]
  if (issuer.protocol === 'http:') execute.push(oidc.allowInsecureRequests)
  return oidc.discovery(issuer, job.client_id, metadata, await clientAuthentication(job), {
    execute,
    algorithm: job.oauth_discovery ? 'oauth2' : 'oidc',
    timeout: 30,
  })
}

async function clientAuthentication(job) {
  switch (job.auth ?? 'none') {
    case 'basic':
      return oidc.ClientSecretBasic(job.client_secret)
    case 'post':
      return oidc.ClientSecretPost(job.client_secret)
    case 'private_key_jwt': {
      const key = await importJWK(job.private_jwk, job.private_jwk.alg)
      return oidc.PrivateKeyJwt({ key, kid: job.private_jwk.kid })
    }
    case 'none':
      return oidc.None()
    default:
      throw new Error(`unknown client authentication: ${job.auth}`)
  }
}

/** Parameters as a list, since `resource` may stand there several times. */
export function parameters(values) {
  const pairs = []
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || value === null) continue
    for (const one of [value].flat()) {
      pairs.push([name, typeof one === 'object' ? JSON.stringify(one) : String(one)])
    }
  }
  return new URLSearchParams(pairs)
}

// The engine's configuration: what AgentConnect's is, as far as a service provider can see it.

import { randomBytes } from 'node:crypto';

import { escapeHTML, page } from './html.mjs';
import { acrValues, findAccount } from './signin.mjs';
import { Store } from './store.mjs';

export const prefix = '/api/v2';

const algorithms = ['ES256', 'RS256', 'HS256'];
const sessionSeconds = 12 * 60 * 60;
const cookieKeys = [randomBytes(32).toString('hex')];

// Scope → claims.
const claims = {
  openid: ['sub'],
  given_name: ['given_name'],
  usual_name: ['usual_name'],
  email: ['email'],
  uid: ['uid'],
  siret: ['siret'],
  siren: ['siren'],
  phone: ['phone_number'],
  organizational_unit: ['organizational_unit'],
  belonging_population: ['belonging_population'],
  chorusdt: ['chorusdt:matricule', 'chorusdt:societe'],
  idp_id: ['idp_id'],
  idp_acr: ['idp_acr'],
  roles: ['roles'],
  organization_label: ['organization_label'],
  custom: ['custom'],
  // Without this the claims parameter cannot ask for amr; the real server has it too.
  amr: ['amr'],
};

// settings is what the Go side sent: clients, jwks, accessTokenSeconds, separateTabs.
export function configuration({ clients, jwks, accessTokenSeconds, separateTabs }) {
  const cookie = { sameSite: 'lax', signed: true, path: '/' };
  // With the path of the real server, "/", the last tab that opened wins over the others. Without
  // one, the engine gives each login its own.
  const { path, ...perLogin } = cookie;

  return {
    acrValues,
    adapter: Store,
    claims,
    clientBasedCORS: () => false,
    clientDefaults: {
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      id_token_signed_response_alg: 'RS256',
      token_endpoint_auth_method: 'client_secret_post',
      // Of the engine's two types, the one that accepts http and localhost, for the code flow.
      application_type: 'web',
    },
    clients,
    cookies: { keys: cookieKeys, long: cookie, short: separateTabs ? perLogin : cookie },
    enabledJWA: {
      idTokenSigningAlgValues: algorithms,
      userinfoSigningAlgValues: algorithms,
      introspectionSigningAlgValues: algorithms,
      tokenEndpointAuthSigningAlgValues: ['ES256', 'RS256'],
    },
    extraParams: ['idp_hint', 'siret_hint'],
    features: {
      claimsParameter: { enabled: true },
      devInteractions: { enabled: false },
      introspection: { enabled: true },
      jwtIntrospection: { enabled: true, ack: 'draft-10' },
      jwtUserinfo: { enabled: true },
      resourceIndicators: { enabled: false },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: true, logoutSource, postLogoutSuccessSource },
    },
    findAccount,
    interactions: { url: (_ctx, interaction) => `${prefix}/interaction/${interaction.uid}` },
    issueRefreshToken: () => true,
    jwks,
    loadExistingGrant: grantEverythingAsked,
    pkce: { methods: ['S256'], required: () => false },
    renderError,
    responseTypes: ['code'],
    routes: {
      authorization: '/authorize',
      end_session: '/session/end',
      introspection: '/token/introspection',
      jwks: '/jwks',
      revocation: '/token/revocation',
      token: '/token',
      userinfo: '/userinfo',
    },
    scopes: ['openid'],
    subjectTypes: ['public'],
    tokenEndpointAuthMethods: ['client_secret_post', 'private_key_jwt'],
    ttl: {
      AccessToken: accessTokenSeconds || 60 * 60,
      AuthorizationCode: 10 * 60,
      Grant: sessionSeconds,
      IdToken: 60 * 60,
      Interaction: 60 * 60,
      RefreshToken: sessionSeconds,
      Session: sessionSeconds,
    },
  };
}

// AgentConnect asks for no consent: whatever the client may ask, it is granted.
async function grantEverythingAsked(ctx) {
  const { session, client, params, provider, requestParamClaims } = ctx.oidc;
  const known = session.grantIdFor(client.clientId);
  const grant = (known && (await provider.Grant.find(known)))
    || new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope(params.scope);
  grant.addOIDCClaims([...requestParamClaims]);
  await grant.save();
  return grant;
}

// The page confirms by itself: nobody is asked whether they really want to leave.
function logoutSource(ctx, form) {
  const confirmed = form.replace('</form>', '<input type="hidden" name="logout" value="yes"/></form>');
  ctx.type = 'html';
  ctx.body = page('Déconnexion', `${confirmed}<script>document.forms[0].submit()</script>`);
}

function postLogoutSuccessSource(ctx) {
  ctx.type = 'html';
  ctx.body = page('Déconnexion', '<p>Vous êtes déconnecté.</p>');
}

function renderError(ctx, { error, error_description: description = '' }) {
  ctx.type = 'html';
  ctx.body = page('Erreur', `<p><code>${escapeHTML(error)}</code> ${escapeHTML(description)}</p>`);
}

// Who is logged in at the provider, and the page where an agent logs in. The engine has sessions of
// its own, but AgentConnect never lets it use them: it forgets them at every authorization request
// and decides here whether the agent has to do anything.

import { randomUUID } from 'node:crypto';

import { escapeHTML, page } from './html.mjs';

export const acrValues = [
  'eidas0',
  'eidas0-mfa',
  'eidas1',
  'eidas1-mfa',
  'eidas2',
  'eidas3',
  'https://proconnect.gouv.fr/assurance/certification-dirigeant',
];

const sessionCookie = 'provider_session';
const engineCookies = ['_session', '_interaction', '_interaction_resume'];

const sessions = new Map(); // cookie → { agent, acr, amr }
const latest = new Map(); // sub → cookie of the last login of that agent, in whichever browser

function cookieOf(req) {
  return new RegExp(`(?:^|; )${sessionCookie}=([^;]*)`).exec(req.headers.cookie ?? '')?.[1];
}

// What the engine calls for the claims of an ID token or of userinfo: those of the agent's latest
// session. Without one, userinfo answers 401 and a refresh fails.
export function findAccount(_ctx, sub) {
  const session = sessions.get(latest.get(sub));
  return session && { accountId: sub, claims: () => ({ ...session.agent.claims, sub }) };
}

export function forget(req) {
  sessions.delete(cookieOf(req));
}

// What is wrong with the parameters of an authorization request, or undefined.
export function malformed(parameters) {
  const once = (name) => parameters.getAll(name).length === 1;
  for (const name of new Set(parameters.keys())) {
    if (!once(name)) return name;
  }
  const required = ['client_id', 'response_type', 'state', 'scope'];
  const shapes = {
    redirect_uri: [/^https?:\/\/[^/].+$/, true],
    nonce: [/^[\x00-\x7f]{1,512}$/],
    login_hint: [/^[^\s@]+@[^\s@]+\.[^\s@]+$/],
    siret_hint: [/^.{14}$/],
  };
  return required.find((name) => !once(name))
    ?? Object.keys(shapes).find((name) => {
      const [shape, mandatory] = shapes[name];
      return parameters.has(name) ? !shape.test(parameters.get(name)) : mandatory;
    });
}

// The engine must not see its own session, and must ask for a login unless the request is silent
// and nobody is logged in: then it answers login_required by itself.
export function beforeAuthorize(req, res, parameters) {
  const prompt = parameters.get('prompt');
  if (prompt === null || (prompt === 'none' && sessions.has(cookieOf(req)))) {
    parameters.set('prompt', 'login');
  }
  req.headers.cookie = '';
  res.setHeader('Set-Cookie', engineCookies.map((name) => `${name}=; path=/; max-age=0`));
}

// The acr values that the client requires and the provider knows.
function essentialACR({ prompt }) {
  if (!prompt.reasons.some((reason) => reason === 'essential_acr' || reason === 'essential_acrs')) {
    return [];
  }
  const { value, values = value?.split(' ') ?? [] } = prompt.details.acr;
  return values.filter((acr) => acrValues.includes(acr));
}

function reusable(session, interaction) {
  const { idp_hint: idp, login_hint: email } = interaction.params;
  const required = essentialACR(interaction);
  return session
    && (!idp || idp === session.agent.claims.idp_id)
    && (!email || email === session.agent.claims.email)
    && (!required.length
      || (required.includes(session.acr) && !['eidas2', 'eidas3'].includes(session.acr)));
}

function finish(provider, req, res, interaction, { agent, acr, amr }) {
  const required = essentialACR(interaction);
  if (required.length && !required.includes(acr)) {
    return provider.interactionFinished(req, res, {
      error: 'access_denied',
      error_description: 'requested ACRs could not be satisfied',
    });
  }
  return provider.interactionFinished(req, res, {
    login: {
      accountId: agent.sub, acr, amr, remember: false, ts: Math.floor(Date.now() / 1000),
    },
    consent: {},
  });
}

export async function showInteraction(provider, agents, req, res) {
  const interaction = await provider.interactionDetails(req, res);
  const { idp_hint: idp } = interaction.params;
  if (idp && !agents.some(({ claims }) => claims.idp_id === idp)) {
    return provider.interactionFinished(req, res, {
      error: 'idp_hint_not_found',
      error_description: 'provided idp_hint could not be found',
    });
  }
  const session = sessions.get(cookieOf(req));
  if (reusable(session, interaction)) {
    return finish(provider, req, res, interaction, session);
  }
  forget(req);
  res.setHeader('Content-Type', 'text/html; charset=utf-8');
  return res.end(page('Choisir un agent', loginForm(agents, interaction.params)));
}

export async function answerInteraction(provider, agents, req, res, form) {
  const interaction = await provider.interactionDetails(req, res);
  if (form.get('decision') === 'refuse') {
    return provider.interactionFinished(req, res, {
      error: 'access_denied',
      error_description: 'the agent refused',
    });
  }
  const agent = agents.find(({ sub }) => sub === form.get('agent'));
  if (!agent) {
    throw new Error(`no agent ${form.get('agent')}`);
  }
  const acr = form.get('acr') || agent.acr;
  const session = {
    agent,
    // An identity provider may give any level; one that AgentConnect does not know counts as eidas1.
    acr: acrValues.includes(acr) ? acr : 'eidas1',
    amr: form.get('amr')?.split(' ') ?? agent.amr,
  };
  forget(req);
  const cookie = randomUUID();
  sessions.set(cookie, session);
  latest.set(agent.sub, cookie);
  res.setHeader('Set-Cookie', `${sessionCookie}=${cookie}; path=/; httponly; samesite=lax`);
  return finish(provider, req, res, interaction, session);
}

function loginForm(agents, { idp_hint: idp, login_hint: email, siret_hint: siret }) {
  const offered = agents.filter(({ claims }) => !idp || claims.idp_id === idp);
  const hints = Object.entries({ idp_hint: idp, login_hint: email, siret_hint: siret })
    .filter(([, value]) => value)
    .map(([name, value]) => `<li>${name} : ${escapeHTML(value)}</li>`);
  const radios = offered.map(({ sub, claims }, index) => {
    const checked = email ? claims.email === email : index === 0;
    const name = [claims.given_name, claims.usual_name, claims.email].filter(Boolean).join(' ');
    return `<p><label><input type="radio" name="agent" value="${escapeHTML(sub)}"${checked ? ' checked' : ''}> ${escapeHTML(name || sub)}</label></p>`;
  });
  const options = acrValues.map((acr) => `<option>${acr}</option>`);
  return `<ul>${hints.join('')}</ul>
<form method="post">
${radios.join('\n')}
<p><label>Niveau (acr) <select name="acr"><option value="">celui de l’agent</option>${options.join('')}</select></label></p>
<button name="decision" value="login">Se connecter</button>
<button name="decision" value="refuse">Refuser</button>
</form>`;
}
